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

// run measures all workloads. After an error the report holds those that were measured before.
func (b *bench) run(ctx context.Context) (*report, error) {
	r := newReport(ctx, b)
	progress("%d workloads, %d proxies, %d rounds: about %s", len(b.options.workloads), len(b.peers), b.options.rounds, b.estimate())
	for _, w := range b.options.workloads {
		samples, err := b.workload(ctx, w)
		b.stopAll()
		if err != nil {
			return r, fmt.Errorf("workload %s: %w", w.name, err)
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

// A runningPeer is a proxy that listens.
type runningPeer struct {
	*child
	port   int
	origin *child // that it forwards to
}

// workload measures all proxies, round by round. All run from the first round to the last; those that have no turn are quiet and cost nothing.
// Memory is measured with a process of its own in each round, since what a process once took it seldom gives back.
func (b *bench) workload(ctx context.Context, w workload) (map[string][]sample, error) {
	origin, originPort, err := b.startOrigin(ctx, w)
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
				running.origin = origin
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
			progress("%-12s round %d  %-8s %8.2f %s  %8.0f/s  busy %3.0f %%  others %3.0f %%",
				w.name, round+1, p.name, s.Value, w.unit(), s.Rate, 100*s.Busy, 100*s.Others)
		}
	}
	return samples, nil
}

// startOrigin starts the origin and returns it with its port.
func (b *bench) startOrigin(ctx context.Context, w workload) (*child, int, error) {
	port, err := b.ports.free()
	if err != nil {
		return nil, 0, err
	}
	c, err := startChild("origin", b.dir, b.options.loadCores(w.workers), b.self, originCommand, local(port))
	if err != nil {
		return nil, 0, err
	}
	b.running = append(b.running, c)
	return c, port, c.awaitPort(ctx, port)
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
	return runningPeer{child: c, port: port}, nil
}

// drive puts load on a proxy.
func (b *bench) drive(ctx context.Context, w workload, port int, duration time.Duration) (load, error) {
	cores := b.options.loadCores(w.workers)
	if w.kind == messages {
		cmd := pinned(cores, b.self, websocketCommand, "-address", local(port), "-path", w.path(),
			"-connections", strconv.Itoa(w.connections), "-duration", duration.String())
		out, cpu, err := runLoad(ctx, cmd, duration+startTimeout)
		if err != nil {
			return load{}, err
		}
		var l load
		err = json.Unmarshal([]byte(out), &l)
		l.CPU = cpu
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
	return runWrk(ctx, cores, w, "http://"+local(port)+w.path(), script, duration)
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

// progress goes to standard error, so that standard output holds the report alone.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
