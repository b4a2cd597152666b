package trace

import (
	"encoding/binary"
	"math"
	"net/netip"

	"sluice/internal/exchange"
	"sluice/internal/wire/tracecontext"
)

// A Filter is the setting "tracing" of a route.
type Filter struct {
	tracer *Tracer
	bound  uint64 // a trace is sampled if the number in its ID is below
	trusts func(netip.Addr) bool
}

// NewFilter returns the filter of a route that samples a share, from 0 to 1, of the traces that begin with it. Those that a client has begun go on, and are sampled
// as the client says, if trusts says yes to its address: a stranger's are begun anew.
func NewFilter(t *Tracer, share float64, trusts func(peer netip.Addr) bool) *Filter {
	f := &Filter{tracer: t, trusts: trusts, bound: math.MaxUint64}
	if share < 1 {
		f.bound = uint64(max(share, 0) * (1 << 63))
	}
	return f
}

// Name implements filter.Filter.
func (f *Filter) Name() string { return "tracing" }

// Request implements filter.Requester: the exchange becomes part of a trace, and the origin will be told. BenchmarkNotSampled, BenchmarkSampled.
func (f *Filter) Request(x *exchange.Exchange) exchange.Verdict {
	p, state := f.begin(x)
	fields := &x.Request.Fields
	value := x.Scratch.Commit(p.Append(x.Scratch.Tail(tracecontext.ParentBytes)))
	fields.Set(exchange.FieldTraceparent, value)
	if len(state) > 0 {
		fields.Set(exchange.FieldTracestate, state)
	} else {
		fields.Del(exchange.FieldTracestate)
	}
	if x.Trace != nil {
		x.Trace.Span = value[tracecontext.SpanOffset:][:2*len(p.SpanID)]
	}
	return exchange.Continue
}

// Finish implements filter.Finisher. It is also for requests that were refused before they came to filters.
func (f *Filter) Finish(x *exchange.Exchange) {
	if x.Notes.SpanID == [8]byte{} {
		f.begin(x)
	}
	if x.Trace != nil {
		f.tracer.record(x)
	}
}

// begin decides which trace x is part of and whether it is sampled. It returns what an origin is told of it.
func (f *Filter) begin(x *exchange.Exchange) (told tracecontext.Parent, state []byte) {
	client, known := f.client(x)
	if known {
		told.TraceID, told.Flags = client.TraceID, client.Flags
		state = stateOf(x)
	} else {
		told.TraceID, told.Flags = f.tracer.newTraceID(), tracecontext.Random
		if binary.BigEndian.Uint64(told.TraceID[8:])>>1 < f.bound {
			told.Flags |= tracecontext.Sampled
		}
	}
	told.SpanID = f.tracer.newSpanID()
	x.Notes.TraceID, x.Notes.SpanID = told.TraceID, told.SpanID
	if told.Flags&tracecontext.Sampled == 0 {
		return told, state
	}
	if !f.tracer.limit.allow(x.Driver.Time().UnixNano()) {
		f.tracer.limited.Add(x.Driver.ID(), 1)
		told.Flags &^= tracecontext.Sampled
		return told, state
	}
	x.Trace = f.tracer.take(x.Driver.ID())
	x.Trace.Flags, x.Trace.Parent, x.Trace.State = told.Flags, client.SpanID, state
	x.Trace.NextSpan = f.tracer.random()
	return told, state
}

// client returns what the client says about the trace, if it is to be believed and there is no doubt what it is.
func (f *Filter) client(x *exchange.Exchange) (p tracecontext.Parent, ok bool) {
	fields := &x.Request.Fields
	if !fields.Has(exchange.FieldTraceparent) || fields.Count(exchange.FieldTraceparent) > 1 || !f.trusts(x.Client.Peer.Addr()) {
		return p, false
	}
	return tracecontext.ParseParent(fields.Get(exchange.FieldTraceparent))
}

// stateOf returns the tracestate of the request as one value within the limits, nil if there is none or it is not well-formed.
func stateOf(x *exchange.Exchange) []byte {
	if !x.Request.Fields.Has(exchange.FieldTracestate) {
		return nil
	}
	state, _ := tracecontext.AppendState(x.Scratch.Tail(tracecontext.StateBytesMax), &x.Request.Fields)
	return x.Scratch.Commit(state)
}
