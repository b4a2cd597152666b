package h1

import (
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"sluice/internal/exchange"
	"sluice/internal/loop"
	wire "sluice/internal/wire/h1"
)

// A way answers each exchange by itself.
type way func(x *exchange.Exchange)

func (w way) Exchange(x *exchange.Exchange) { w(x) }
func (w way) Refuse(x *exchange.Exchange)   { w(x) }

// A panic leaves no exchange counted as under way, and its connection has ended once.
func TestAPanicIsCountedAsTheEnd(t *testing.T) {
	d := loop.NewGoroutines(nil)
	d.Log = slog.New(slog.DiscardHandler)
	set := &Settings{Wire: wire.Limits{HeadBytes: 1 << 10, FieldBytes: 1 << 10, Fields: 10}, HeadTimeout: time.Minute}
	srv := NewServer(way(func(*exchange.Exchange) { panic("planted") }), func() *Settings { return set }, 1)
	client, server := net.Pipe()
	d.Serve(server, &loop.Accept{Handler: func(c loop.Conn) loop.Handler { return srv.Handler(c, ":80", nil) }})
	if _, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(client); err != nil || len(text) > 0 {
		t.Errorf("got %q, %v", text, err)
	}
	client.Close()
	d.Stop()
	if n := srv.Exchanges(); n != 0 {
		t.Errorf("%d exchanges are under way", n)
	}
	for _, end := range Ends() {
		want := int64(0)
		if end == EndFault {
			want = 1
		}
		if n := srv.Ended(end); n != want {
			t.Errorf("%d connections ended by %s", n, end)
		}
	}
}
