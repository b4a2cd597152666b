package serve_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"runtime"
	"testing"

	"sluice/internal/build"
	"sluice/internal/config"
	"sluice/internal/downstream/h1"
	"sluice/internal/loop"
	"sluice/internal/observe/metric"
	"sluice/internal/observe/otlp"
	"sluice/internal/observe/trace"
	"sluice/internal/serve"
	"sluice/internal/snapshot"
)

const (
	getRequest  = "GET /some/path?x=1 HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n"
	postRequest = "POST /some/path HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\n\r\nhello"
	okResponse  = "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nhello world"
	chunked     = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n"
)

// answer plays an origin that reads a request in one piece and answers the same each time, without allocating.
func answer(t testing.TB, response string) net.Addr {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b, out := make([]byte, 4096), []byte(response)
				for {
					if _, err := c.Read(b); err != nil {
						return
					}
					if _, err := c.Write(out); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr()
}

// newServer returns the server of one loop with a site that forwards everything to an address. sample is the share that is traced, "" for no tracing.
func newServer(t testing.TB, to, sample string) *h1.Server {
	d := &config.Decoder{Features: build.Features()}
	text := `sites: { "http://:80": { to: "` + to + `" } }`
	env := build.Env{Loops: 1}
	if sample != "" {
		text += "\ntracing: { endpoint: \"http://127.0.0.1:1\", limit: off, sample: " + sample + " }"
		env.Traces = trace.New(trace.Options{Loops: 1, Set: metric.NewSet(1)})
		env.Traces.Apply(trace.Settings{Export: otlp.Settings{URL: "http://127.0.0.1:1/", QueueBytes: otlp.BufferBytes}})
		t.Cleanup(func() { env.Traces.Close(context.Background()) })
	}
	cfg := config.Load(d, config.Text("test", text), "test")
	snap := build.Build(d, cfg, nil, env)
	if d.Failed() {
		t.Fatal(d.Diagnostics)
	}
	var current snapshot.Current
	current.Store(snap)
	return h1.NewServer(&serve.Server{Current: &current}, func() *h1.Settings { return snap.H1 }, 1)
}

// proxy runs one loop in front of an origin and returns a connection to it.
func proxy(t testing.TB, origin net.Addr, sample string) net.Conn {
	sys, err := loop.NewSystem(loop.WaitNetpoller)
	if err != nil {
		t.Skip(err)
	}
	l := loop.New(0, sys, loop.SystemClock{}, slog.New(slog.DiscardHandler))
	server := newServer(t, origin.String(), sample)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	group := loop.Group{Loops: []*loop.Loop{l}}
	group.Listen(int(file.Fd()), &loop.Accept{
		Handler: func(c loop.Conn) loop.Handler { return server.Handler(c, ":80", nil) },
		Paused:  func(err error) { t.Error(err) },
	})
	go l.Run()
	t.Cleanup(func() { l.Stop(); ln.Close(); file.Close() })
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// exchanges sends the request n times and waits for each response, whose length it has learned before.
func exchanges(t testing.TB, c net.Conn, request []byte, room []byte, length, n int) {
	for range n {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, room[:length]); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAForwardedExchangeAllocatesNothing counts all allocations of the process over many exchanges: neither the loop nor the codecs, the route or the
// rules of forwarding may add any in steady state.
func TestAForwardedExchangeAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, f := range map[string]struct{ request, response, sample string }{
		"GET": {getRequest, okResponse, ""}, "POST": {postRequest, okResponse, ""}, "chunked": {getRequest, chunked, ""},
		"not sampled": {getRequest, okResponse, "0%"}, "sampled": {getRequest, okResponse, "100%"},
	} {
		t.Run(name, func(t *testing.T) {
			c := proxy(t, answer(t, f.response), f.sample)
			room := make([]byte, 4096)
			if _, err := c.Write([]byte(f.request)); err != nil {
				t.Fatal(err)
			}
			length, err := c.Read(room)
			if err != nil || string(room[:15]) != "HTTP/1.1 200 OK" {
				t.Fatal(err, string(room[:length]))
			}
			request := []byte(f.request)
			exchanges(t, c, request, room, length, 200)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			const n = 5000
			exchanges(t, c, request, room, length, n)
			runtime.ReadMemStats(&after)
			if got := after.Mallocs - before.Mallocs; got > n/100 { // the runtime's own background work, and Date once a second
				t.Errorf("%d allocations in %d exchanges", got, n)
			}
		})
	}
}

func BenchmarkExchange(b *testing.B) {
	c := proxy(b, answer(b, okResponse), "")
	room := make([]byte, 4096)
	if _, err := c.Write([]byte(getRequest)); err != nil {
		b.Fatal(err)
	}
	length, err := c.Read(room)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		exchanges(b, c, []byte(getRequest), room, length, 1)
	}
}
