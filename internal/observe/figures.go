package observe

import (
	"maps"
	"slices"

	"sluice/internal/exchange"
	"sluice/internal/observe/metric"
)

// Figures are what was counted of one site so far. Two readings give what came between them.
type Figures struct {
	Site     string              // "" is for requests that reached no site
	Requests [len(classes)]int64 // by the first digit of the status; at 0 those without response
	Received int64               // bytes
	Sent     int64               // bytes
	Errors   [sources]int64      // requests that ended in an error, by exchange.Source
	Retries  int64
	Aborted  int64 // responses that the client did not get the whole of
	Duration metric.Distribution
}

// Total returns the number of requests.
func (f *Figures) Total() (n int64) {
	for _, c := range f.Requests {
		n += c
	}
	return n
}

// Failed returns the number of requests that failed by the source's fault.
func (f *Figures) Failed(source exchange.Source) int64 { return f.Errors[source] }

// Sub returns what came since earlier.
func (f Figures) Sub(earlier Figures) Figures {
	for i := range f.Requests {
		f.Requests[i] -= earlier.Requests[i]
	}
	for i := range f.Errors {
		f.Errors[i] -= earlier.Errors[i]
	}
	f.Received -= earlier.Received
	f.Sent -= earlier.Sent
	f.Retries -= earlier.Retries
	f.Aborted -= earlier.Aborted
	f.Duration = f.Duration.Sub(earlier.Duration)
	return f
}

// PoolFigures are what was counted of the attempts at one pool so far. Its endpoints have their own counters.
type PoolFigures struct {
	Pool     string
	Retries  int64               // attempts after a first one
	Connect  metric.Distribution // until there was a new connection
	Response metric.Distribution // from then on until the head of the response
}

// Sub returns what came since earlier.
func (f PoolFigures) Sub(earlier PoolFigures) PoolFigures {
	f.Retries -= earlier.Retries
	f.Connect = f.Connect.Sub(earlier.Connect)
	f.Response = f.Response.Sub(earlier.Response)
	return f
}

// Figures returns the figures of all sites, sorted by name.
func (m *Metrics) Figures() []Figures {
	m.mu.Lock()
	sites := maps.Clone(m.sites)
	m.mu.Unlock()
	all := make([]Figures, 0, len(sites))
	for _, name := range slices.Sorted(maps.Keys(sites)) {
		all = append(all, sites[name].figures(name))
	}
	return all
}

func (r *Requests) figures(site string) Figures {
	f := Figures{
		Site: site, Received: r.received.Value(), Sent: r.sent.Value(), Retries: r.retries.Value(), Aborted: r.aborted.Value(), Duration: r.duration.Read(),
	}
	for i, c := range r.requests {
		f.Requests[i] = c.Value()
	}
	for i, c := range r.failed {
		f.Errors[i] = c.Value()
	}
	return f
}

// PoolFigures returns the figures of all pools, sorted by name.
func (m *Metrics) PoolFigures() []PoolFigures {
	m.mu.Lock()
	pools := maps.Clone(m.pools)
	m.mu.Unlock()
	all := make([]PoolFigures, 0, len(pools))
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		p := pools[name]
		f := PoolFigures{Pool: name, Connect: p.connect.Read(), Response: p.response.Read()}
		for _, c := range p.retries {
			f.Retries += c.Value()
		}
		all = append(all, f)
	}
	return all
}

// Retain forgets the sites and pools that are not named. It must go with the same call of the set's Retain: what is forgotten here begins at zero if it comes
// back, in a series of its own.
func (m *Metrics) Retain(sites, pools map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.sites, func(name string, _ *Requests) bool { return !sites[name] })
	maps.DeleteFunc(m.pools, func(name string, _ *Pool) bool { return !pools[name] })
}
