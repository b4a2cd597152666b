// Package proxytest runs the whole proxy in a test: from the text of a config, on any of its drivers, on loopback, with origins that the test plays.
//
// Run puts the same parts together as internal/app does, but for two things: listeners get free ports, and the hosts that the config names as servers are
// the test's own Origins, whatever their ports. So configs and messages read as in production: origin:80, http://:80. What the test says to the proxy as a
// client, and as an origin, it says through a Peer, which checks what it gets with a reader of its own.
//
// When the test ends, Run's proxy must have nothing left: no connection of either side, no goroutine.
package proxytest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/build"
	"sluice/internal/config"
	"sluice/internal/downstream/h1"
	"sluice/internal/downstream/listen"
	"sluice/internal/loop"
	"sluice/internal/observe/metric"
	"sluice/internal/observe/trace"
	"sluice/internal/serve"
	"sluice/internal/snapshot"
	"sluice/internal/upstream/resolve"
)

// Patience is how long anything may take before a test gives up. Nothing waits for it to pass unless something is wrong.
const Patience = 10 * time.Second

// A Proxy is a whole proxy that runs.
type Proxy struct {
	t         testing.TB
	engine    engine
	current   snapshot.Current
	gate      listen.Gate
	resolver  *resolve.Resolver
	listeners []listener
	log       *complaints

	turnedAway  atomic.Int64 // connections that there was no room for, and that are not closed yet
	connections atomic.Int64
	stop        sync.Once
}

// A listener is one that the config asks for and where it really is.
type listener struct{ name, address string }

// Run starts a proxy with that config. The origins stand for the servers that the config names after them; servers without one refuse connections. The proxy
// is stopped when the test ends, and checked for leaks.
func Run(t testing.TB, text string, driver Driver, origins ...*Origin) *Proxy {
	t.Helper()
	p := &Proxy{t: t, log: &complaints{}}
	network := &network{origins: origins}
	if strings.Contains(text, "stuck:") {
		network.stuck = listenStuck(t)
	}
	p.resolver = resolve.NewResolver(network.lookup, resolve.DefaultResolverSettings(), nil)
	t.Cleanup(p.resolver.Close)
	cfg, snap := p.build(text, driver)
	p.current.Store(snap)
	p.gate.Limit(cfg.Limits.Connections, cfg.Limits.ConnectionsPerAddress)
	engine, err := driver.start(network, slog.New(slog.NewTextHandler(p.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	p.engine = engine
	t.Cleanup(p.Stop)
	codec := h1.NewServer(&serve.Server{Current: &p.current}, func() *h1.Settings { return p.current.Load().H1 }, driver.Loops)
	for _, l := range snap.Listeners {
		p.listen(l.Name, codec)
	}
	return p
}

// build makes a snapshot of the config, which must be valid.
func (p *Proxy) build(text string, driver Driver) (*config.Config, *snapshot.Snapshot) {
	d := &config.Decoder{Features: build.Features()}
	cfg := config.Load(d, config.Text("sluice.yaml", text), "sluice.yaml")
	var snap *snapshot.Snapshot
	if !d.Failed() {
		snap = build.Build(d, cfg, nil, build.Env{Loops: driver.Loops, Traces: p.tracer(cfg, driver), Resolver: p.resolver})
	}
	if d.Failed() {
		var b bytes.Buffer
		_ = d.Render(&b, false)
		p.t.Fatalf("the config is not valid:\n%s", &b)
	}
	return cfg, snap
}

// tracer returns a tracer whose IDs count up from 1. It delivers nothing: what is traced shows in what origins get.
func (p *Proxy) tracer(cfg *config.Config, driver Driver) *trace.Tracer {
	if cfg.Tracing == nil {
		return nil
	}
	var n atomic.Uint64
	t := trace.New(trace.Options{Loops: driver.Loops, Set: metric.NewSet(driver.Loops), Random: func() uint64 { return n.Add(1) }})
	p.t.Cleanup(func() { t.Close(context.Background()) })
	return t
}

func (p *Proxy) listen(name string, codec *h1.Server) {
	s, err := listen.Open("127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	p.listeners = append(p.listeners, listener{name, s.Addr().String()})
	accept := &loop.Accept{
		Handler: func(c loop.Conn) loop.Handler {
			ticket, ok := p.gate.Enter(c.Peer().Addr(), &p.connections)
			if !ok {
				p.turnedAway.Add(1)
				return h1.Busy(c, func() { p.turnedAway.Add(-1) })
			}
			return codec.Handler(c, name, ticket.Leave)
		},
		Paused: func(err error) { p.t.Errorf("accepting pauses: %v", err) },
	}
	if err := p.engine.listen(s, accept); err != nil {
		p.t.Fatal(err)
	}
}

// Address is where the listener of that name (":80"; "" is the first one) really is.
func (p *Proxy) Address(name string) string {
	p.t.Helper()
	i := slices.IndexFunc(p.listeners, func(l listener) bool { return name == "" || l.name == name })
	if i < 0 {
		p.t.Fatalf("the config has no listener %q", name)
	}
	return p.listeners[i].address
}

// Connect opens a connection to the listener of that name from a local address ("127.0.0.2"; "" is any).
func (p *Proxy) Connect(name, from string) *Peer {
	p.t.Helper()
	d := net.Dialer{Timeout: Patience}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.DialContext(context.Background(), "tcp", p.Address(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return newPeer(p.t, c)
}

// Clients is how many connections of clients the proxy has.
func (p *Proxy) Clients() int { return int(p.gate.Open() + p.turnedAway.Load()) }

// Servers is how many connections to origins the proxy has, idle ones too.
func (p *Proxy) Servers() (n int) {
	for _, pool := range p.current.Load().Pools {
		for _, ep := range pool.Endpoints {
			n += int(ep.Client.Open())
		}
	}
	return n
}

// Retire makes the proxy give up its origins: idle connections are closed, those in use after their exchange.
func (p *Proxy) Retire() {
	for _, pool := range p.current.Load().Pools {
		for _, ep := range pool.Endpoints {
			ep.Client.Retire()
		}
	}
}

// WaitIdle waits until the proxy has no connection of a client left and none to an origin that is not idle.
func (p *Proxy) WaitIdle() {
	p.t.Helper()
	idle := func() (n int) {
		for _, pool := range p.current.Load().Pools {
			for _, ep := range pool.Endpoints {
				n += ep.Client.Idle()
			}
		}
		return n
	}
	p.await("no exchange", func() bool { return p.Clients() == 0 && p.Servers() == idle() })
}

// Stop checks that nothing is left of either side once all clients have gone, and stops the proxy. The test's clients must have ended.
func (p *Proxy) Stop() {
	p.t.Helper()
	p.stop.Do(func() {
		p.await("no connection", func() bool {
			p.Retire()
			return p.Clients() == 0 && p.Servers() == 0
		})
		p.engine.stop()
		if s := p.log.String(); s != "" {
			p.t.Errorf("the proxy had something to complain about:\n%s", s)
		}
	})
}

// await polls for something that the proxy will come to by itself.
func (p *Proxy) await(what string, done func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(Patience); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Errorf("waiting for %s in vain: there are %d of clients and %d to origins\n%s", what, p.Clients(), p.Servers(), stacks())
			return
		}
	}
}

// stacks are the goroutines that run the proxy.
func stacks() string {
	all := make([]byte, 1<<20)
	var ours []string
	for stack := range strings.SplitSeq(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if strings.Contains(stack, "sluice/internal/") {
			ours = append(ours, stack)
		}
	}
	return strings.Join(ours, "\n\n")
}

// complaints keep what the proxy logs.
type complaints struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

var _ io.Writer = (*complaints)(nil)

// Write implements io.Writer.
func (l *complaints) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String returns all that was logged.
func (l *complaints) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
