// Package sim runs the whole proxy in a simulated world: config, snapshot, codecs and forwarding on real loops, over a network, a clock and a machine that
// looptest makes from a seed. Clients and origins that behave, and some that do not, meet in it; whatever happens must be right, or have its reason.
//
// A seed decides a plan (plan_test.go), clients send and judge (client_test.go), origins answer (origin_test.go), and a run looks for what is left behind.
package sim

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"sluice/internal/build"
	"sluice/internal/config"
	"sluice/internal/downstream/h1"
	"sluice/internal/leaktest"
	"sluice/internal/loop"
	"sluice/internal/loop/looptest"
	"sluice/internal/serve"
	"sluice/internal/snapshot"
	"sluice/internal/upstream"
)

var (
	seedFlag  = flag.Int64("seed", -1, "run this seed alone and tell what happens")
	seedsFlag = flag.Int("seeds", 0, "how many seeds to run; 0 is a few")
)

// TestMain looks for goroutines that are left: loops, tasks, actors.
func TestMain(m *testing.M) { leaktest.Main(m, "sluice/internal/loop", "sluice/test/sim.(*run)") }

// elapsedMax is how long a run may take of its world's time: far more than all limits that may be reached one after the other.
const elapsedMax = 10 * time.Minute

// A run is one plan, carried out. Who runs in the world owns it; logged has a lock of its own.
type run struct {
	*looptest.World
	*plan
	t         *testing.T
	began     time.Time
	verbose   bool
	current   snapshot.Current
	endpoints []*upstream.Endpoint // of all generations
	loops     []*loop.Loop
	listeners []*looptest.Listener // of origins
	logged    logged
	accepted  int // connections
	ended     int
	busy      int // clients that have not ended
	statuses  map[int]int
	drained   bool
	stopped   bool
	way       uint64 // the digest when all was quiet; 0 if the run was stopped before
}

// logged is what the loops log: nothing.
type logged struct {
	mu           sync.Mutex
	bytes.Buffer // guarded by mu
}

// Write implements io.Writer.
func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (r *run) logf(format string, args ...any) {
	if r.verbose {
		r.t.Logf("%9v "+format, append([]any{r.Now().Sub(r.began).Round(time.Microsecond)}, args...)...)
	}
}

func (r *run) failf(format string, args ...any) {
	r.t.Errorf("seed %d: "+format+" (make sim SEED=%d)", append(append([]any{r.seed}, args...), r.seed)...)
}

func (r *run) check(ok bool, format string, args ...any) {
	if !ok {
		r.failf(format, args...)
	}
}

// simulate carries out the plan of a seed and checks what holds at its end.
func simulate(t *testing.T, seed uint64, verbose bool) *run {
	w := looptest.New(seed)
	r := &run{World: w, plan: draw(seed), t: t, began: w.Now(), verbose: verbose, statuses: map[int]int{}}
	for _, c := range r.clients {
		r.logf("%+v", c)
	}
	for _, x := range r.exchanges {
		r.logf("%+v", *x)
	}
	r.apply(0)
	end := r.proxy()
	r.serveOrigins()
	r.busy = len(r.clients)
	for _, c := range r.clients {
		r.Go(func() { defer func() { r.busy-- }(); r.exchangeAll(c) })
	}
	r.Go(r.operate)
	if r.stop > 0 {
		r.Sleep(r.stop)
		r.halt(end)
	}
	r.check(r.Until(func() bool { return r.busy == 0 }, elapsedMax), "clients hang: %d of %d", r.busy, len(r.clients))
	if !r.stopped {
		r.rest()
		r.way = r.Digest() // stopping runs beside the world
	}
	for _, ln := range r.listeners {
		ln.Close()
	}
	if err := r.Wait(); err != nil {
		r.failf("origins hang: %v", err)
	}
	if !r.stopped {
		r.halt(end)
	}
	r.check(r.Open() == 0, "%d descriptors are left", r.Open())
	r.check(r.accepted == r.ended, "%d connections were accepted, %d have ended", r.accepted, r.ended)
	r.check(r.logged.Len() == 0, "logged: %s", &r.logged)
	return r
}

// apply puts a config in force, as app does.
func (r *run) apply(generation int) {
	d := &config.Decoder{Features: build.Features()}
	cfg := config.Load(d, config.Text("sim", r.config(generation)), "sim")
	prev := r.current.Load()
	next := build.Build(d, cfg, prev, build.Env{Loops: r.drivers})
	if d.Failed() {
		r.t.Fatal(d.Diagnostics)
	}
	r.current.Store(next)
	for _, p := range next.Pools {
		r.endpoints = append(r.endpoints, p.Endpoints...)
	}
	if prev != nil {
		upstream.Replace(prev.Pools, next.Pools)
	}
}

// proxy starts the loops and listens. end ends listening.
func (r *run) proxy() (end func()) {
	group := &loop.Group{}
	log := slog.New(slog.NewTextHandler(&r.logged, nil))
	for id := range r.drivers {
		sys := r.System()
		l := loop.New(id, sys, r, log)
		group.Loops = append(group.Loops, l)
		sys.Start(l.Run)
	}
	r.loops = group.Loops
	server := h1.NewServer(&serve.Server{Current: &r.current}, func() *h1.Settings { return r.current.Load().H1 }, len(r.loops))
	return group.Listen(r.Listen(proxyAddress), &loop.Accept{
		Handler: func(c loop.Conn) loop.Handler {
			r.accepted++
			return server.Handler(c, ":80", func() { r.ended++ })
		},
		Paused: func(err error) { r.failf("accepting pauses: %v", err) },
	})
}

// operate is who reloads and drains.
func (r *run) operate() {
	for i, d := range r.reloads {
		r.Sleep(d)
		r.logf("reload")
		r.apply(1 + i)
	}
	if r.drain > 0 {
		r.Sleep(r.drain)
		r.logf("drain")
		r.drained = true
		for _, l := range r.loops {
			l.Drain()
		}
	}
}

// rest waits until nothing is left of the exchanges: no client's connection, and no origin's once the last idle one is too old.
func (r *run) rest() {
	var conns, origins int64
	quiet := r.Until(func() bool {
		conns, origins = 0, 0
		for _, l := range r.loops {
			conns += l.Conns()
		}
		for _, ep := range r.endpoints {
			origins += ep.Client.Open()
		}
		return conns+origins == 0
	}, 2*idleKept+10*time.Second)
	r.check(quiet, "connections are left: %d of clients, %d to origins", conns, origins)
}

// halt stops the loops and ends listening.
func (r *run) halt(end func()) {
	r.logf("stop")
	r.stopped = true
	for _, l := range r.loops {
		r.Outside(l.Stop)
	}
	r.Outside(end)
}

func TestSimulationServesAllOrHasItsReasons(t *testing.T) {
	if *seedFlag >= 0 {
		simulate(t, uint64(*seedFlag), true)
		return
	}
	n := 400
	if testing.Short() || raceEnabled {
		n = 60
	}
	if *seedsFlag > 0 {
		n = *seedsFlag
	}
	statuses, exchanges := map[int]int{}, 0
	for seed := range uint64(n) {
		r := simulate(t, seed, false)
		exchanges += len(r.exchanges)
		for status, k := range r.statuses {
			statuses[status] += k
		}
	}
	t.Logf("%d seeds, %d exchanges, responses by status: %v", n, exchanges, fmt.Sprint(statuses))
}

func TestSimulationRepeatsARunByItsSeed(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(8) {
		first, second := simulate(t, seed, false).way, simulate(t, seed, false).way
		if first != second {
			t.Errorf("seed %d went two ways", seed)
		}
		seen[first] = true
	}
	if len(seen) < 6 {
		t.Error("seeds make no difference: ", seen)
	}
}
