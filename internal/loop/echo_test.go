package loop

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
)

type echo struct{ c Conn }

func (e *echo) Serve() {
	b := e.c.Driver().Buffers().Get(4096)
	defer e.c.Driver().Buffers().Put(b)
	for {
		e.c.Quiet(true)
		n, err := e.c.Read(b)
		if err == ErrQuiet {
			return
		}
		e.c.Quiet(false)
		if err != nil {
			e.c.Close()
			return
		}
		if _, err := e.c.Write(b[:n]); err != nil {
			e.c.Close()
			return
		}
	}
}

func TestEchoesOverTheLoop(t *testing.T) {
	sys, err := NewSystem(WaitNetpoller)
	if err != nil {
		t.Fatal(err)
	}
	l := New(0, sys, SystemClock{}, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	go l.Run()
	defer l.Stop()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, _ := ln.(*net.TCPListener).File()
	ln.Close()
	g := Group{Loops: []*Loop{l}}
	stop := g.Listen(int(f.Fd()), &Accept{Handler: func(c Conn) Handler { return &echo{c} }, Paused: func(err error) { t.Log(err) }})
	defer stop()
	for range 3 {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			c.Write([]byte("hello"))
			b := make([]byte, 5)
			if _, err := io.ReadFull(c, b); err != nil || !bytes.Equal(b, []byte("hello")) {
				t.Fatal(err, b)
			}
		}
		c.Close()
	}
}
