//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// settle is how long after a load's end the proxies may still be closing its connections.
const settle = 50 * time.Millisecond

// A bench is one run of the benchmark: its files, its peers and the processes that it started.
type bench struct {
	options options
	dir     string // temporary, removed at the end
	self    string // our own binary, which is also the origin and the WebSocket load
	files   int    // descriptors that a process may have
	peers   []peer
	ports   portSearch
	running []*child
}

// newBench finds or builds all that it takes. The caller must call close.
func newBench(ctx context.Context, o options) (*bench, error) {
	files, err := raiseFiles()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, dir: dir, self: self, files: files}
	if b.peers, err = findPeers(ctx, o, dir); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// close ends what still runs and removes the files.
func (b *bench) close() {
	b.stopAll()
	_ = os.RemoveAll(b.dir) // what is left of a temporary directory harms nobody
}

// stopAll ends all processes, the last started first.
func (b *bench) stopAll() {
	for len(b.running) > 0 {
		b.stop(b.running[len(b.running)-1])
	}
}

// stop ends one process.
func (b *bench) stop(c *child) {
	c.stop()
	for i, other := range b.running {
		if other == c {
			b.running = append(b.running[:i], b.running[i+1:]...)
			return
		}
	}
}

// run measures all workloads.
func (b *bench) run(ctx context.Context) (*report, error) {
	r := newReport(ctx, b)
	progress("%d workloads, %d proxies, %d rounds: about %s", len(b.options.workloads), len(b.peers), b.options.rounds, b.estimate())
	for _, w := range b.options.workloads {
		samples, err := b.workload(ctx, w)
		b.stopAll()
		if err != nil {
			return nil, fmt.Errorf("workload %s: %w", w.name, err)
		}
		r.add(w, b.options.proxies, samples)
	}
	return r, nil
}

// estimate is about how long run takes.
func (b *bench) estimate() time.Duration {
	var sum time.Duration
	for _, w := range b.options.workloads {
		each := b.options.duration + b.warmup() + 2*settle
		if w.kind == idle {
			each = 4 * time.Second
		}
		sum += each * time.Duration(b.options.rounds*len(b.peers))
	}
	return sum.Round(time.Second)
}

// warmup is the length of the run before each measured one.
func (b *bench) warmup() time.Duration {
	return min(b.options.duration/4, time.Second)
}

// A running peer is one that listens.
type runningPeer struct {
	*child
	port int
}

// workload measures all proxies, round by round. All run from the first round to the last; those that have no turn are quiet and cost nothing.
// Memory is measured with a process of its own in each round, since what a process once took it seldom gives back.
func (b *bench) workload(ctx context.Context, w workload) (map[string][]sample, error) {
	originPort, err := b.startOrigin(ctx, w)
	if err != nil {
		return nil, err
	}
	started := map[string]runningPeer{}
	samples := map[string][]sample{}
	for round := range b.options.rounds {
		for _, p := range b.peers {
			running, ok := started[p.name]
			if !ok {
				if running, err = b.startPeer(ctx, p, w, originPort); err != nil {
					return nil, err
				}
				started[p.name] = running
			}
			s, err := b.sample(ctx, w, running, round)
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", p.name, round+1, err)
			}
			if w.kind == idle {
				b.stop(running.child)
				delete(started, p.name)
			}
			samples[p.name] = append(samples[p.name], s)
			progress("%-12s round %d  %-8s %8.2f %s  %8.0f/s  busy %3.0f %%", w.name, round+1, p.name, s.Value, w.unit(), s.Rate, 100*s.Busy)
		}
	}
	return samples, nil
}

// startOrigin starts the origin and returns its port.
func (b *bench) startOrigin(ctx context.Context, w workload) (int, error) {
	port, err := b.ports.free()
	if err != nil {
		return 0, err
	}
	c, err := startChild("origin", b.dir, b.options.loadCores(w.workers), b.self, originCommand, local(port))
	if err != nil {
		return 0, err
	}
	b.running = append(b.running, c)
	return port, c.awaitPort(ctx, port)
}

// startPeer starts a proxy for a workload.
func (b *bench) startPeer(ctx context.Context, p peer, w workload, originPort int) (runningPeer, error) {
	port, err := b.ports.free()
	if err != nil {
		return runningPeer{}, err
	}
	c, err := p.start(ctx, newSetup(b.dir, w, port, originPort, b.files), b.options.proxyCores(w.workers))
	if err != nil {
		return runningPeer{}, err
	}
	b.running = append(b.running, c)
	return runningPeer{c, port}, nil
}

// A sample is what one proxy did in one round.
type sample struct {
	Value    float64 // CPU microseconds per request or message, or KiB per connection
	Rate     float64 // requests or messages per second
	P50, P99 float64 // milliseconds
	Busy     float64 // cores' worth of CPU time in use, 1 is one core all the time
	RSS      float64 // MiB at the end
	Faults   int64   // requests that went wrong
}

// sample measures one proxy once.
func (b *bench) sample(ctx context.Context, w workload, p runningPeer, round int) (sample, error) {
	if w.kind == idle {
		return b.sampleIdle(ctx, w, p, round)
	}
	if _, err := b.drive(ctx, w, p.port, b.warmup()); err != nil {
		return sample{}, err
	}
	if err := pause(ctx, settle); err != nil {
		return sample{}, err
	}
	before, err := p.usage()
	if err != nil {
		return sample{}, err
	}
	l, err := b.drive(ctx, w, p.port, b.options.duration)
	if err != nil {
		return sample{}, err
	}
	if err := pause(ctx, settle); err != nil { // each proxy pays for closing its connections
		return sample{}, err
	}
	after, err := p.usage()
	if err != nil {
		return sample{}, err
	}
	return newSample(l, before, after)
}

// newSample relates what a proxy used to what it did.
func newSample(l load, before, after usage) (sample, error) {
	cpu := after.cpu - before.cpu
	if l.Requests == 0 || l.Elapsed <= 0 || cpu <= 0 {
		return sample{}, fmt.Errorf("nothing to measure: %d requests in %s, %s of CPU time, %d faults", l.Requests, l.Elapsed, cpu, l.Faults)
	}
	return sample{
		Value:  cpu.Seconds() * 1e6 / float64(l.Requests),
		Rate:   float64(l.Requests) / l.Elapsed.Seconds(),
		P50:    l.P50.Seconds() * 1e3,
		P99:    l.P99.Seconds() * 1e3,
		Busy:   cpu.Seconds() / l.Elapsed.Seconds(),
		RSS:    mebibytes(after.rss),
		Faults: l.Faults,
	}, nil
}

// drive puts load on a proxy.
func (b *bench) drive(ctx context.Context, w workload, port int, duration time.Duration) (load, error) {
	cores := b.options.loadCores(w.workers)
	if w.kind == messages {
		cmd := pinned(cores, b.self, websocketCommand, "-address", local(port), "-path", w.path,
			"-connections", strconv.Itoa(w.connections), "-duration", duration.String())
		out, err := runLoad(ctx, cmd, duration+startTimeout)
		if err != nil {
			return load{}, err
		}
		var l load
		err = json.Unmarshal([]byte(out), &l)
		return l, err
	}
	script := ""
	if w.script != "" {
		text, err := peerFiles.ReadFile("peers/" + w.script)
		if err != nil {
			return load{}, err
		}
		script = filepath.Join(b.dir, w.script)
		if err := os.WriteFile(script, text, 0o644); err != nil {
			return load{}, err
		}
	}
	return runWrk(ctx, cores, w, "http://"+local(port)+w.path, script, duration)
}

// pause waits, unless we are told to end.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// progress goes to standard error, so that standard output holds the report alone.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
