// Package otlp delivers spans to an OpenTelemetry collector: OTLP over HTTP, in binary protobuf (OpenTelemetry Protocol Specification 1.x).
//
// observe/trace makes spans, as bytes, in the memory of the loops, and hands over whole buffers of them; an Exporter takes them through a bounded queue to its
// goroutine, which puts them into requests. Whoever hands over never waits: what the queue has no room for is dropped and counted.
//
// The messages are written by hand (proto.go). They are few and frozen, and appending to a loop's own buffer makes a span without allocation; generated code
// would need a tree of objects for each one, and twice the time. Tests read what is sent with the official types.
package otlp

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"sluice/internal/observe/metric"
)

const (
	// BufferBytes is the size of the buffers that spans are handed over in.
	BufferBytes = 64 << 10
	// queueBuffersMax bounds Settings.QueueBytes: 64 MiB.
	queueBuffersMax = 1024
	// batchBuffersMax is how many buffers go into one request at most.
	batchBuffersMax = 8
	// collectEvery is how long a span waits at most before it is sent.
	collectEvery = 2 * time.Second
)

// Settings say where spans go. They do not change.
type Settings struct {
	// URL is where they are posted to; empty is nowhere.
	URL string
	// Header is sent with each request. Values are secrets: they show up in no error and no log.
	Header http.Header
	// Timeout bounds one request.
	Timeout time.Duration
	// Gzip compresses requests.
	Gzip bool
	// QueueBytes is how much may wait to be sent. What is more is dropped.
	QueueBytes int
	// Resource is who makes the spans, and Version the version of the program.
	Resource []Attribute
	Version  string
}

// An Attribute is a name with a text.
type Attribute struct{ Key, Value string }

// Hooks are an Exporter's owner. Each is called by its goroutine, and may be nil.
type Hooks struct {
	// Collect hands over what the owner still gathers.
	Collect func()
	// Report is told when delivery begins to fail, with the reason, and when it works again, with nil.
	Report func(error)
	// Transport carries the requests; without it, that is one of the exporter's own.
	Transport http.RoundTripper
}

// An Exporter is the queue and the goroutine that empties it. Its methods may be called from any goroutine.
type Exporter struct {
	hooks    Hooks
	client   http.Client
	settings atomic.Pointer[Settings]
	queued   atomic.Int64 // buffers that were handed over and are not dealt with
	full     chan buffer
	free     chan []byte
	ask      chan chan struct{}
	closing  context.Context // done once Close is called
	close    context.CancelFunc
	last     context.Context // bounds what is sent after that; set before closing is done
	done     chan struct{}   // closed when the goroutine has ended

	failing bool // what Report was told last; owned by the goroutine

	queueFull, undelivered, rejected *metric.Counter
	delivered, retried, failed       *metric.Counter
}

// A buffer is whole spans, each as a field of ScopeSpans.
type buffer struct {
	spans []byte
	count int64
}

// New starts an exporter that delivers nowhere yet. Its counters are in set. Close ends it.
func New(hooks Hooks, set *metric.Set) *Exporter {
	const (
		dropped = "Spans that were lost: no room in the queue (queue), not delivered (export), refused by the collector (rejected)."
		exports = "Requests to the collector: done, failed for good, or failed and repeated."
	)
	reason := func(v string) *metric.Counter {
		return set.Counter("sluice_trace_dropped_spans_total", dropped, metric.Label{Name: "reason", Value: v})
	}
	result := func(v string) *metric.Counter {
		return set.Counter("sluice_trace_exports_total", exports, metric.Label{Name: "result", Value: v})
	}
	e := &Exporter{
		hooks: hooks, full: make(chan buffer, queueBuffersMax), free: make(chan []byte, batchBuffersMax), ask: make(chan chan struct{}), done: make(chan struct{}),
		queueFull: reason("queue"), undelivered: reason("export"), rejected: reason("rejected"),
		delivered: result("done"), retried: result("retried"), failed: result("failed"),
	}
	e.settings.Store(&Settings{})
	e.closing, e.close = context.WithCancel(context.Background())
	e.client = http.Client{
		Transport: hooks.Transport,
		// A redirect would carry spans and credentials to where the config does not say.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if e.client.Transport == nil {
		e.client.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: 1, IdleConnTimeout: time.Minute}
	}
	go e.run()
	return e
}

// Apply takes over other settings, for what is sent from now on.
func (e *Exporter) Apply(s Settings) {
	e.settings.Store(&s)
	e.client.CloseIdleConnections()
}

// Buffer returns an empty buffer of BufferBytes. It becomes the exporter's again by Hand.
func (e *Exporter) Buffer() []byte {
	select {
	case b := <-e.free:
		return b[:0]
	default:
		return make([]byte, 0, BufferBytes)
	}
}

// Hand gives count spans to be delivered: bytes of AppendSpans. If there is no room for them they are dropped. Either way b is the exporter's. It never waits.
func (e *Exporter) Hand(b []byte, count int64) {
	limit := min(max(int64(e.settings.Load().QueueBytes)/BufferBytes, 1), queueBuffersMax)
	if e.queued.Add(1) > limit {
		e.queued.Add(-1)
		e.queueFull.Add(0, count)
		e.reuse(b)
		return
	}
	e.full <- buffer{b, count} // has room: the limit is not above its capacity
}

func (e *Exporter) reuse(b []byte) {
	if cap(b) != BufferBytes {
		return
	}
	select {
	case e.free <- b:
	default:
	}
}

// Flush delivers what there is, as far as that is possible at once, or until ctx is done.
func (e *Exporter) Flush(ctx context.Context) {
	answer := make(chan struct{})
	select {
	case e.ask <- answer:
		select {
		case <-answer:
		case <-ctx.Done():
		}
	case <-e.done:
	case <-ctx.Done():
	}
}

// Close delivers what there is, each batch tried once, until ctx is done, and ends the goroutine. What is handed over afterwards is lost.
func (e *Exporter) Close(ctx context.Context) {
	if e.closing.Err() == nil {
		e.last = ctx
		e.close()
	}
	<-e.done
	e.client.CloseIdleConnections()
}

func (e *Exporter) run() {
	defer close(e.done)
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		select {
		case b := <-e.full:
			e.deliver(b)
		case <-tick.C:
			e.flush()
		case answer := <-e.ask:
			e.flush()
			close(answer)
		case <-e.closing.Done():
			e.flush()
			return
		}
	}
}

// flush delivers what the owner gathers and what is in the queue.
func (e *Exporter) flush() {
	if e.hooks.Collect != nil {
		e.hooks.Collect()
	}
	for {
		select {
		case b := <-e.full:
			e.deliver(b)
		default:
			return
		}
	}
}

// deliver sends b, with what else is at hand.
func (e *Exporter) deliver(b buffer) {
	batch := []buffer{b}
	for len(batch) < batchBuffersMax && len(e.full) > 0 {
		batch = append(batch, <-e.full)
	}
	defer func() {
		for _, b := range batch {
			e.reuse(b.spans)
		}
		e.queued.Add(-int64(len(batch)))
	}()
	var count int64
	for _, b := range batch {
		count += b.count
	}
	set := e.settings.Load()
	if set.URL == "" {
		e.undelivered.Add(0, count) // switched off while they waited
		return
	}
	err := e.send(set, appendRequest(nil, set, batch), count)
	if err != nil {
		e.failed.Add(0, 1)
		e.undelivered.Add(0, count)
	} else {
		e.delivered.Add(0, 1)
	}
	if failing := err != nil; failing != e.failing {
		e.failing = failing
		if e.hooks.Report != nil {
			e.hooks.Report(err)
		}
	}
}
