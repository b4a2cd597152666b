//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A sample is what one proxy did in one round.
type sample struct {
	Value    float64 // CPU microseconds per request or message, or KiB per connection
	Rate     float64 // requests or messages per second
	P50, P99 float64 // milliseconds
	Busy     float64 // cores' worth of CPU time that the proxy took; 1 is one core all the time
	Others   float64 // the same of all that is no part of the benchmark, our machine's host included: it should be near 0
	RSS      float64 // MiB at the end
	Faults   int64   // requests that went wrong
}

// A reading is the state of all counters at one moment.
type reading struct {
	proxy   usage
	origin  usage
	machine time.Duration
	at      time.Time
}

// read takes a reading.
func (p runningPeer) read() (reading, error) {
	proxy, errProxy := p.usage()
	origin, errOrigin := p.origin.usage()
	all, errMachine := machineTime()
	return reading{proxy, origin, all, time.Now()}, errors.Join(errProxy, errOrigin, errMachine)
}

// errNothing is the error of a run in which no request was answered. It happens where others take the cores away for its whole length.
var errNothing = errors.New("nothing to measure (is the machine busy?)")

// sampleTries is how often a run is made that finds nothing to measure.
const sampleTries = 4

// sample measures one proxy until there is something to measure.
func (b *bench) sample(ctx context.Context, w workload, p runningPeer, round int) (sample, error) {
	for try := 1; ; try++ {
		s, err := b.sampleOnce(ctx, w, p, round)
		if try == sampleTries || !errors.Is(err, errNothing) {
			return s, err
		}
		progress("%s, %s: again: %v", w.name, p.name, err)
	}
}

// sampleOnce measures one proxy once.
func (b *bench) sampleOnce(ctx context.Context, w workload, p runningPeer, round int) (sample, error) {
	if w.kind == idle {
		return b.sampleIdle(ctx, w, p, round)
	}
	if _, err := b.drive(ctx, w, p.port, b.warmup()); err != nil {
		return sample{}, err
	}
	if err := pause(ctx, settle); err != nil {
		return sample{}, err
	}
	before, err := p.read()
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
	after, err := p.read()
	if err != nil {
		return sample{}, err
	}
	return newSample(l, before, after)
}

// newSample relates what a proxy used to what it did.
func newSample(l load, before, after reading) (sample, error) {
	cpu := after.proxy.cpu - before.proxy.cpu
	if l.Requests == 0 || l.Elapsed <= 0 || cpu <= 0 {
		return sample{}, fmt.Errorf("%w: %d requests in %s, %s of CPU time, %d faults", errNothing, l.Requests, l.Elapsed, cpu, l.Faults)
	}
	ours := cpu + after.origin.cpu - before.origin.cpu + l.CPU
	others := (after.machine - before.machine - ours).Seconds() / after.at.Sub(before.at).Seconds()
	return sample{
		Value:  cpu.Seconds() * 1e6 / float64(l.Requests),
		Rate:   float64(l.Requests) / l.Elapsed.Seconds(),
		P50:    l.P50.Seconds() * 1e3,
		P99:    l.P99.Seconds() * 1e3,
		Busy:   cpu.Seconds() / l.Elapsed.Seconds(),
		Others: max(others, 0),
		RSS:    mebibytes(after.proxy.rss),
		Faults: l.Faults,
	}, nil
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
