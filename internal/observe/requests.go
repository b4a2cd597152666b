// Package observe counts what happened to exchanges: requests by site and class of status, bytes, durations, errors by kind, limits reached, and what their
// attempts at a pool came to.
//
// It names the metrics; metric keeps and writes them, accesslog and errlog write the logs. All series are made when a snapshot is built, so that an
// exchange costs a few atomic adds. Series of requests carry the site and nothing that a client chose. Endpoints count for themselves. docs/metrics.md lists all metrics of the process.
package observe

import (
	"sync"

	"sluice/internal/exchange"
	"sluice/internal/observe/metric"
)

// Metrics makes the counters of all sites in one set.
type Metrics struct {
	set    *metric.Set
	errors map[failure]*metric.Counter // never changes
	others [sources]*metric.Counter    // by source: kinds that are not listed
	limits map[string]*metric.Counter  // by config key; never changes

	methods [len(methods) + 1]*metric.Counter // the last one counts all others

	mu    sync.Mutex
	sites map[string]*Requests // guarded by mu
	pools map[string]*Pool     // guarded by mu
}

// failure is what errors are counted by.
type failure struct {
	source exchange.Source
	kind   exchange.Kind
}

// kinds are the error kinds that are counted each for itself (RFC 9209, section 2.3).
var kinds = []exchange.Kind{
	exchange.KindDestinationNotFound, exchange.KindDestinationUnavailable, exchange.KindDNSError, exchange.KindDNSTimeout, exchange.KindConnectionRefused,
	exchange.KindConnectionTerminated, exchange.KindConnectionTimeout, exchange.KindConnectionReadTimeout, exchange.KindConnectionWriteTimeout,
	exchange.KindConnectionLimit, exchange.KindHTTPRequestError, exchange.KindHTTPRequestDenied, exchange.KindHTTPResponseIncomplete,
	exchange.KindHTTPHeadTooLarge, exchange.KindHTTPLineTooLarge, exchange.KindHTTPTransferCoding, exchange.KindHTTPUpgradeFailed,
	exchange.KindHTTPResponseTimeout, exchange.KindHTTPProtocolError, exchange.KindProxyInternalError, exchange.KindProxyConfigurationError,
	exchange.KindProxyLoopDetected,
}

// limits are the config keys of the limits that are counted here, as exchange.Error has them. Those on the connections of clients are counted where they are
// kept. docs/limits.md says more of each.
var limits = []string{
	"limits.head", "limits.field", "limits.fields", "limits.target", "limits.trailers", "limits.chunk_extensions", "limits.response_head",
	"limits.response_fields", "limits.request_body", "limits.min_rate", "limits.head_timeout", "limits.idle_timeout", "limits.send_timeout",
	"limits.linger_timeout", "limits.linger", "limits.tunnel_timeout", exchange.LimitExchangeTimeout, "limits.requests",
	"timeouts.connect", "timeouts.response", "timeouts.idle", "pools.max_connections",
}

// NewMetrics returns the counters in set, those of an earlier call if there are any.
func NewMetrics(set *metric.Set) *Metrics {
	m := &Metrics{
		set: set, errors: map[failure]*metric.Counter{}, limits: map[string]*metric.Counter{}, sites: map[string]*Requests{}, pools: map[string]*Pool{},
	}
	for i := range m.methods {
		name := "other"
		if i < len(methods) {
			name = methods[i]
		}
		m.methods[i] = set.Counter("sluice_requests_by_method_total", "Requests of all sites by method.", metric.Label{Name: "method", Value: name})
	}
	for _, key := range limits {
		m.limits[key] = set.Counter("sluice_limits_reached_total", "How often a limit was reached.", metric.Label{Name: "limit", Value: key})
	}
	for source := exchange.Internal; source <= exchange.Upstream; source++ {
		counter := func(kind string) *metric.Counter {
			return set.Counter("sluice_errors_total", "Exchanges that the proxy answered or ended because of an error, by who failed and how (RFC 9209).",
				metric.Label{Name: "source", Value: source.String()}, metric.Label{Name: "kind", Value: kind})
		}
		for _, kind := range kinds {
			m.errors[failure{source, kind}] = counter(string(kind))
		}
		m.others[source] = counter("other")
	}
	return m
}

// Reached counts that the limit of that config key was reached. A key that is not listed counts nothing.
func (m *Metrics) Reached(shard int, limit string) {
	if c := m.limits[limit]; c != nil {
		c.Add(shard, 1)
	}
}

// methods are those that are counted each for itself (RFC 9110, section 9.3; RFC 5789, section 2).
var methods = [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// methodIndex returns the place of a method in methods, or the one behind them.
func methodIndex(method string) int {
	for i, m := range methods {
		if m == method {
			return i
		}
	}
	return len(methods)
}

// classes are the label values of sluice_requests_total by the first digit of the status; "none" is an exchange without response.
var classes = [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

// Requests is the filter that counts the exchanges of one site. It finishes them and has no other phase.
type Requests struct {
	metrics  *Metrics
	requests [len(classes)]*metric.Counter
	duration *metric.Histogram
	received *metric.Counter
	sent     *metric.Counter
	retries  *metric.Counter
	aborted  *metric.Counter
	failed   [sources]*metric.Counter
}

// sources is how many sources of errors there are.
const sources = int(exchange.Upstream) + 1

// Site returns the filter for the site of that name; "" counts requests that reached no site, such as refused ones. All routes of a site share it.
func (m *Metrics) Site(name string) *Requests {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sites[name] == nil {
		m.sites[name] = m.newSite(name)
	}
	return m.sites[name]
}

func (m *Metrics) newSite(name string) *Requests {
	site := metric.Label{Name: "site", Value: name}
	r := &Requests{
		metrics: m,
		duration: m.set.Histogram("sluice_request_duration_seconds",
			"Time from the first byte of a request to the last one of its response. Upgraded connections are left out.", site),
		received: m.set.Counter("sluice_received_bytes_total", "Bytes of requests received: heads and content.", site),
		sent:     m.set.Counter("sluice_sent_bytes_total", "Bytes of responses sent: heads and content.", site),
		retries:  m.set.Counter("sluice_retries_total", "Attempts at further endpoints after a first one.", site),
		aborted:  m.set.Counter("sluice_aborted_responses_total", "Responses that the client did not get the whole of.", site),
	}
	for i := range r.failed {
		r.failed[i] = m.set.Counter("sluice_failed_requests_total", "Requests that the proxy answered or ended because of an error, by who failed.",
			site, metric.Label{Name: "source", Value: exchange.Source(i).String()})
	}
	for i, class := range classes {
		r.requests[i] = m.set.Counter("sluice_requests_total", "Requests by class of status; none: no response was sent.",
			site, metric.Label{Name: "class", Value: class})
	}
	return r
}

// Name implements filter.Filter.
func (r *Requests) Name() string { return "metrics" }

// Finish implements filter.Finisher. It is also for requests that were refused before they were exchanges. BenchmarkRequestsFinish.
func (r *Requests) Finish(x *exchange.Exchange) {
	shard, n, status := x.Driver.ID(), &x.Notes, x.Response.Status
	class := status / 100
	if class >= len(classes) || class < 0 {
		class = 0
	}
	r.requests[class].Add(shard, 1)
	r.metrics.methods[methodIndex(x.Request.Method)].Add(shard, 1)
	r.received.Add(shard, int64(n.HeadIn)+n.ContentIn)
	r.sent.Add(shard, int64(n.HeadOut)+n.ContentOut)
	if n.Began > 0 && status != 101 {
		r.duration.Observe(shard, x.Driver.Now()-n.Began)
	}
	if n.Attempts > 1 {
		r.retries.Add(shard, int64(n.Attempts-1))
	}
	if n.Aborted {
		r.aborted.Add(shard, 1)
	}
	if x.Err != nil {
		r.failed[min(int(x.Err.Source), sources-1)].Add(shard, 1)
		r.metrics.countError(shard, x.Err)
	}
}

func (m *Metrics) countError(shard int, err *exchange.Error) {
	c := m.errors[failure{err.Source, err.Kind}]
	if c == nil {
		c = m.others[min(int(err.Source), len(m.others)-1)]
	}
	c.Add(shard, 1)
	if err.Limit != "" {
		m.Reached(shard, err.Limit)
	}
}
