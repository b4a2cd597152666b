// Package trace makes spans of exchanges (OpenTelemetry): one for the exchange, as the client's server, and one for each attempt at an endpoint, as a client.
//
// A Filter stands first in the chain of a route. Its request phase decides which trace the exchange is part of and whether it is sampled, and tells the origin
// (W3C Trace Context); its finish phase makes the spans. An exchange that is not sampled costs its IDs and a field; without tracing there is no Filter at all.
//
// Spans are written by the loop that ran the exchange into a buffer of that loop, without allocation, and handed to observe/otlp, which drops what it has no room
// for. They hold no query, and of paths no secrets (as the access log).
package trace

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/exchange"
	"sluice/internal/observe/metric"
	"sluice/internal/observe/otlp"
)

// Settings say what happens to all spans.
type Settings struct {
	// Export says where they go. Without a URL none are made.
	Export otlp.Settings
	// Traces is how many exchanges may be sampled in each span of time Per; 0 is no bound.
	Traces int64
	Per    time.Duration
}

// Options are what a Tracer is made of.
type Options struct {
	Loops int
	Set   *metric.Set // for its counters
	// Report is told when delivery begins to fail, and, with nil, when it works again.
	Report func(error)
	// Random returns the bits of IDs; nil is math/rand/v2. It may be called by all loops at once. Tests have their own.
	Random func() uint64
}

// A Tracer gathers the spans of all loops: a service beside the way of a request.
type Tracer struct {
	exporter *otlp.Exporter
	random   func() uint64
	on       atomic.Bool
	limit    limiter
	shards   []shard
	mask     int

	spans, limited *metric.Counter
}

// A shard is what one loop has. Its lock is the loop's own but for an instant every other second, when the exporter takes the buffer.
type shard struct {
	mu    sync.Mutex
	buf   []byte            // whole spans; nil if there are none; guarded by mu
	count int64             // spans in buf; guarded by mu
	free  []*exchange.Trace // not in use; guarded by mu
	_     [128]byte
}

// freeMax is how many unused Traces a loop keeps, of about 1 KiB each.
const freeMax = 256

// New starts a tracer that makes no spans yet. Close ends it.
func New(o Options) *Tracer {
	n := 1
	for n < o.Loops {
		n *= 2
	}
	t := &Tracer{
		random: o.Random, shards: make([]shard, n), mask: n - 1,
		spans:   o.Set.Counter("sluice_trace_spans_total", "Spans made of sampled exchanges, lost ones too."),
		limited: o.Set.Counter("sluice_limits_reached_total", "How often a limit was reached.", metric.Label{Name: "limit", Value: "tracing.limit"}),
	}
	if t.random == nil {
		t.random = rand.Uint64
	}
	t.exporter = otlp.New(otlp.Hooks{Collect: t.collect, Report: o.Report}, o.Set)
	return t
}

// Apply goes over to other settings. Spans that were made before are delivered by them, too.
func (t *Tracer) Apply(s Settings) {
	t.exporter.Apply(s.Export)
	t.limit.set(s.Traces, s.Per)
	t.on.Store(s.Export.URL != "")
}

// Flush delivers the spans made so far, or as many as it can until ctx is done.
func (t *Tracer) Flush(ctx context.Context) { t.exporter.Flush(ctx) }

// Close delivers the spans made so far, or as many as it can until ctx is done. Those of exchanges that end later are lost.
func (t *Tracer) Close(ctx context.Context) {
	t.on.Store(false)
	t.exporter.Close(ctx)
}

// take returns an empty Trace for an exchange of that loop.
func (t *Tracer) take(id int) *exchange.Trace {
	s := &t.shards[id&t.mask]
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.free)
	if n == 0 {
		return &exchange.Trace{}
	}
	tr := s.free[n-1]
	s.free = s.free[:n-1]
	return tr
}

// record makes the spans of x, whose Trace it takes back.
func (t *Tracer) record(x *exchange.Exchange) {
	id, tr := x.Driver.ID(), x.Trace
	x.Trace = nil
	s := &t.shards[id&t.mask]
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.on.Load() {
		count := 1 + tr.Count
		if len(s.buf)+count*spanBytesMax > otlp.BufferBytes {
			t.handLocked(s)
		}
		if s.buf == nil {
			s.buf = t.exporter.Buffer()
		}
		s.buf = appendSpans(s.buf, x, tr)
		s.count += int64(count)
		t.spans.Add(id, int64(count))
	}
	if len(s.free) < freeMax {
		*tr = exchange.Trace{}
		s.free = append(s.free, tr)
	}
}

// handLocked gives s's buffer to the exporter. The caller must hold s.mu.
func (t *Tracer) handLocked(s *shard) {
	if len(s.buf) > 0 {
		t.exporter.Hand(s.buf, s.count)
	}
	s.buf, s.count = nil, 0
}

// collect hands over what all loops gather.
func (t *Tracer) collect() {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		t.handLocked(s)
		s.mu.Unlock()
	}
}

// newSpanID returns a random ID; one of zeros would be none.
func (t *Tracer) newSpanID() (id [8]byte) {
	binary.BigEndian.PutUint64(id[:], max(t.random(), 1))
	return id
}

// newTraceID returns a random ID.
func (t *Tracer) newTraceID() (id [16]byte) {
	binary.BigEndian.PutUint64(id[:8], t.random())
	binary.BigEndian.PutUint64(id[8:], t.random())
	if id == [16]byte{} {
		id[15] = 1
	}
	return id
}

// A limiter bounds how many exchanges are sampled: as a bucket of so many tokens that fills up again in the time per (GCRA). All loops share it; only exchanges that
// would be sampled come here.
type limiter struct {
	step atomic.Int64 // nanoseconds for one token; 0 is no bound
	per  atomic.Int64 // nanoseconds for all of them
	full atomic.Int64 // when the bucket will be full again, in Unix nanoseconds
}

func (l *limiter) set(count int64, per time.Duration) {
	step := int64(0)
	if count > 0 {
		step = max(int64(per)/count, 1)
	}
	l.per.Store(int64(per))
	l.step.Store(step)
}

// allow takes a token, if there is one. A clock that went back does not empty the bucket for longer than it takes to fill.
func (l *limiter) allow(now int64) bool {
	step, per := l.step.Load(), l.per.Load()
	if step == 0 {
		return true
	}
	for {
		was := l.full.Load()
		full := max(was, now)
		if was > now+2*per {
			full = now
		}
		if full+step > now+per {
			return false
		}
		if l.full.CompareAndSwap(was, full+step) {
			return true
		}
	}
}
