package observe

import (
	"sluice/internal/exchange"
	"sluice/internal/observe/metric"
)

// A Pool counts the attempts at the endpoints of one pool. It is a forward.Meter.
type Pool struct {
	connect  *metric.Histogram
	response *metric.Histogram
	retries  [len(reasons)]*metric.Counter
}

// reasons are the label values of sluice_pool_retries_total: the kinds of errors after which forward tries again. Besides, the end of a connection that was
// kept is told from that of a new one: it is no fault of the endpoint.
var reasons = [...]string{
	string(exchange.KindConnectionRefused), string(exchange.KindConnectionTimeout), string(exchange.KindConnectionTerminated),
	string(exchange.KindConnectionLimit), string(exchange.KindDNSError), "kept_connection_closed", "other",
}

const (
	keptClosed  = len(reasons) - 2
	otherReason = len(reasons) - 1
)

// Pool returns what counts the attempts at the pool of that name.
func (m *Metrics) Pool(name string) *Pool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pools[name] == nil {
		m.pools[name] = m.newPool(name)
	}
	return m.pools[name]
}

func (m *Metrics) newPool(name string) *Pool {
	pool := metric.Label{Name: "pool", Value: name}
	p := &Pool{
		connect: m.set.Histogram("sluice_pool_connect_duration_seconds",
			"Time until an attempt had a new connection: connecting, and before that the wait for a free one if their number is limited.", pool),
		response: m.set.Histogram("sluice_pool_response_duration_seconds",
			"Time from when an attempt had a connection until the head of the final response was read.", pool),
	}
	for i, reason := range reasons {
		p.retries[i] = m.set.Counter("sluice_pool_retries_total", "Attempts that were made because the one before ended in an error, by its kind (RFC 9209).",
			pool, metric.Label{Name: "reason", Value: reason})
	}
	return p
}

// Attempted implements forward.Meter. BenchmarkPoolAttempted.
func (p *Pool) Attempted(x *exchange.Exchange) {
	shard, n := x.Driver.ID(), &x.Notes
	if n.Connected == 0 {
		return
	}
	if !n.Reused {
		p.connect.Observe(shard, n.Connected-n.Attempted)
	}
	if n.ResponseBegan > 0 {
		p.response.Observe(shard, n.ResponseBegan-n.Connected)
	}
}

// Retried implements forward.Meter.
func (p *Pool) Retried(x *exchange.Exchange, why *exchange.Error) {
	p.retries[reasonOf(x, why)].Add(x.Driver.ID(), 1)
}

func reasonOf(x *exchange.Exchange, why *exchange.Error) int {
	if why.Kind == exchange.KindConnectionTerminated && x.Notes.Reused {
		return keptClosed
	}
	for i := range keptClosed {
		if reasons[i] == string(why.Kind) {
			return i
		}
	}
	return otherReason
}
