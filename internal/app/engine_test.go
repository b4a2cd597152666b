package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"sluice/internal/build"
	"sluice/internal/config"
	"sluice/internal/snapshot"
)

// patience is how long a test waits for what must happen. It is never waited out unless a test fails.
const patience = 20 * time.Second

// onEachDriver runs a test on all drivers.
func onEachDriver(t *testing.T, test func(t *testing.T, d Driver)) {
	t.Run("loops", func(t *testing.T) { test(t, Native) })
	t.Run("goroutines", func(t *testing.T) { test(t, Goroutines) })
}

// An origin is an origin server of a test. It answers with its name; requests for /held wait until release is closed, and arrived tells of them.
type origin struct {
	address string
	arrived chan struct{}
	release chan struct{}
	closed  chan struct{} // told of each connection that ends
}

func newOrigin(t *testing.T, name string) *origin {
	o := &origin{arrived: make(chan struct{}, 10), release: make(chan struct{}), closed: make(chan struct{}, 100)}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/held" {
			o.arrived <- struct{}{}
			select {
			case <-o.release:
			case <-q.Context().Done():
			}
		}
		io.WriteString(w, name)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			o.closed <- struct{}{}
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	o.address = s.Listener.Addr().String()
	return o
}

// built builds a config whose listeners get free ports of loopback, or the addresses given.
func built(t *testing.T, e *Engine, text string, addresses ...string) *snapshot.Snapshot {
	t.Helper()
	d := &config.Decoder{Features: build.Features()}
	cfg := config.Load(d, config.Text("sluice.yaml", text), "sluice.yaml")
	snap := build.Build(d, cfg, e.Snapshot(), build.Env{Loops: e.Drivers()})
	if d.Failed() {
		t.Fatal(d.Diagnostics)
	}
	for i := range snap.Listeners {
		snap.Listeners[i].Address = "127.0.0.1:0"
		if i < len(addresses) {
			snap.Listeners[i].Address = addresses[i]
		}
	}
	return snap
}

// newTestEngine returns an engine that is stopped when the test ends.
func newTestEngine(t *testing.T, d Driver) *Engine {
	t.Helper()
	e, err := NewEngine(Options{Driver: d, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		at, cancel := context.WithCancel(t.Context())
		cancel()
		e.Stop(at, idleGrace)
	})
	return e
}

// startEngine starts an engine with one site and returns where it listens.
func startEngine(t *testing.T, d Driver, to string) (*Engine, string) {
	t.Helper()
	e := newTestEngine(t, d)
	if err := e.Start(built(t, e, siteTo("http://:80", to))); err != nil {
		t.Fatal(err)
	}
	return e, e.Addresses()[0]
}

func siteTo(name, to string) string { return fmt.Sprintf("sites: { %q: { to: %q } }\n", name, to) }

// A client is a connection of a test.
type client struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dialClient(t *testing.T, address string) *client {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &client{t, c, bufio.NewReader(c)}
}

func (c *client) ask(path string) { fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n", path) }

// want reads a response.
func (c *client) want(status int, content string) {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatalf("want %d %q: %v", status, content, err)
	}
	got, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != status || string(got) != content {
		c.t.Errorf("got %d %q, %v; want %d %q", r.StatusCode, got, err, status, content)
	}
}

// wantEnd checks that the connection has ended without a further byte.
func (c *client) wantEnd() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err == nil {
		c.t.Errorf("got byte %q, want the end", b)
	}
}

// eventually waits until a condition holds that nobody tells of.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestAFullMachineAnswers503AndServesThoseItHas(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		e, address := startEngine(t, d, newOrigin(t, "hello").address)
		e.Limit(1, 0)
		first := dialClient(t, address)
		first.ask("/")
		first.want(200, "hello")
		second := dialClient(t, address)
		eventually(t, "the second is refused", func() bool { return e.gate.RefusedAll.Load() == 1 })
		second.ask("/")
		second.want(503, "")
		second.wantEnd()
		first.ask("/")
		first.want(200, "hello")
		first.Close()
		eventually(t, "there is room again", func() bool { return e.Connections() == 0 })
		third := dialClient(t, address)
		third.ask("/")
		third.want(200, "hello")
	})
}

func TestAnAddressHasItsLimit(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		e, address := startEngine(t, d, newOrigin(t, "hello").address)
		e.Limit(0, 1)
		first := dialClient(t, address)
		first.ask("/")
		first.want(200, "hello")
		second := dialClient(t, address)
		eventually(t, "the second is refused", func() bool { return e.gate.RefusedAddress.Load() == 1 })
		second.ask("/")
		second.want(503, "")
		first.ask("/")
		first.want(200, "hello")
	})
}

func TestStopEndsIdleConnectionsAndLetsExchangesFinish(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		o := newOrigin(t, "whole")
		e, address := startEngine(t, d, o.address)
		idle, busy := dialClient(t, address), dialClient(t, address)
		idle.ask("/")
		idle.want(200, "whole")
		busy.ask("/held")
		<-o.arrived
		cut := make(chan int64)
		go func() { cut <- e.Stop(context.Background(), idleGrace) }()
		idle.wantEnd()
		if !e.Draining() {
			t.Error("not draining")
		}
		close(o.release)
		busy.want(200, "whole")
		busy.Close()
		if n := <-cut; n != 0 {
			t.Errorf("%d connections were cut off", n)
		}
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			t.Error("still listening")
		}
	})
}

func TestStopCutsOffWhatTakesTooLong(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		o := newOrigin(t, "never")
		e, address := startEngine(t, d, o.address)
		busy := dialClient(t, address)
		busy.ask("/held")
		<-o.arrived
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if n := e.Stop(ctx, idleGrace); n != 1 {
			t.Errorf("%d connections were cut off", n)
		}
	})
}

func TestApplyOpensAndClosesListeners(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		one, two := newOrigin(t, "one"), newOrigin(t, "two")
		e, first := startEngine(t, d, one.address)
		kept := dialClient(t, first)
		kept.ask("/")
		kept.want(200, "one")

		both := built(t, e, "sites: { \"http://:80\": { to: \""+two.address+"\" }, \"http://:81\": { to: \""+one.address+"\" } }")
		if err := e.Apply(both); err != nil {
			t.Fatal(err)
		}
		if n := len(e.Addresses()); n != 2 {
			t.Fatalf("listens on %v", e.Addresses())
		}
		kept.ask("/")
		kept.want(200, "two")
		second := strings.ReplaceAll(strings.Join(e.Addresses(), ""), first, "")
		other := dialClient(t, second)
		other.ask("/")
		other.want(200, "one")

		if err := e.Apply(built(t, e, siteTo("http://:81", one.address))); err != nil {
			t.Fatal(err)
		}
		if c, err := net.Dial("tcp", first); err == nil {
			c.Close()
			t.Error("the first listener is still open")
		}
		other.ask("/")
		other.want(200, "one")
		kept.ask("/")
		kept.want(421, "421 Misdirected Request\n") // its site is gone
	})
}

func TestAnApplyThatFailsChangesNothing(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		o := newOrigin(t, "hello")
		e, address := startEngine(t, d, o.address)
		before := e.Snapshot()
		text := "sites: { \"http://:82\": { to: \"" + o.address + "\" }, \"http://:83\": { to: \"" + o.address + "\" } }"
		next := built(t, e, text, "127.0.0.1:0", taken.Addr().String())
		if err := e.Apply(next); !IsInUse(err) || !strings.Contains(err.Error(), "another process listens there already") {
			t.Errorf("got %v", err)
		}
		if e.Snapshot() != before || len(e.Addresses()) != 1 || e.Addresses()[0] != address {
			t.Errorf("listens on %v", e.Addresses())
		}
		c := dialClient(t, address)
		c.ask("/")
		c.want(200, "hello")
	})
}

func TestAStartThatFailsLeavesNothing(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		e := newTestEngine(t, d)
		if err := e.Start(built(t, e, siteTo("http://:80", "127.0.0.1:1"), "192.0.2.1:80")); err == nil { // TEST-NET-1: no address of ours
			t.Error("no error")
		}
		if n := len(e.Addresses()); n != 0 {
			t.Errorf("%d listeners", n)
		}
	})
}

func TestIdleConnectionsToEndpointsThatAreGoneAreClosed(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		gone, stays := newOrigin(t, "gone"), newOrigin(t, "stays")
		e, address := startEngine(t, d, gone.address)
		c := dialClient(t, address)
		c.ask("/")
		c.want(200, "gone")
		origin := e.Snapshot().Pools[0].Endpoints[0].Client
		eventually(t, "the connection is idle", func() bool { return origin.Idle() == 1 })
		if err := e.Apply(built(t, e, siteTo("http://:80", stays.address))); err != nil {
			t.Fatal(err)
		}
		<-gone.closed
		c.ask("/")
		c.want(200, "stays")
	})
}

func TestManyLoopsShareTheWork(t *testing.T) {
	e, err := NewEngine(Options{Loops: 3, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(built(t, e, siteTo("http://:80", newOrigin(t, "hello").address))); err != nil {
		t.Fatal(err)
	}
	defer e.Stop(t.Context(), idleGrace)
	var all []*client
	for range 30 {
		c := dialClient(t, e.Addresses()[0])
		c.ask("/")
		c.want(200, "hello")
		all = append(all, c)
	}
	for i, s := range e.Stats() {
		if s.Conns < 8 || s.Conns > 12 {
			t.Errorf("loop %d of 3 has %d of %d connections", i, s.Conns, len(all))
		}
	}
}
