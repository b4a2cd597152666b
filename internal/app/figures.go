package app

import (
	"cmp"
	"slices"
	"time"

	"sluice/internal/admin"
	"sluice/internal/observe"
	"sluice/internal/observe/metric"
)

// figuresShown is how many sites and pools are told about: those with the most requests.
const figuresShown = 100

// A meter reads what was counted, again and again, and tells what came between. It is for one goroutine.
type meter struct {
	metrics *observe.Metrics
	at      time.Time
	sites   map[string]observe.Figures
	pools   map[string]observe.PoolFigures
}

// figures returns a function each call of which tells what was counted since the call before.
func (p *Process) figures() func() admin.Figures {
	m := &meter{metrics: p.env.Metrics, at: time.Now()}
	m.read()
	return m.next
}

// read notes what was counted so far, and returns what came since the last time by name.
func (m *meter) read() (sites []observe.Figures, pools []observe.PoolFigures) {
	allSites, allPools := map[string]observe.Figures{}, map[string]observe.PoolFigures{}
	for _, f := range m.metrics.Figures() {
		allSites[f.Site] = f
		since := f.Sub(m.sites[f.Site])
		if since.Total() < 0 { // the site was away meanwhile, and counts from zero again
			since = f
		}
		sites = append(sites, since)
	}
	for _, f := range m.metrics.PoolFigures() {
		allPools[f.Pool] = f
		since := f.Sub(m.pools[f.Pool])
		if since.Response.Count() < 0 {
			since = f
		}
		pools = append(pools, since)
	}
	m.sites, m.pools = allSites, allPools
	return sites, pools
}

func (m *meter) next() admin.Figures {
	now := time.Now()
	sites, pools := m.read()
	f := admin.Figures{Seconds: now.Sub(m.at).Seconds(), Sites: []admin.SiteFigures{}, Pools: []admin.PoolFigures{}}
	m.at = now
	var total observe.Figures
	for _, s := range sites {
		total = sum(total, s)
		f.Sites = append(f.Sites, siteFigures(s))
	}
	f.Total = siteFigures(total)
	for _, p := range pools {
		f.Pools = append(f.Pools, admin.PoolFigures{Pool: p.Pool, Requests: p.Response.Count(), Retries: p.Retries, Response: quantiles(p.Response), Connect: quantiles(p.Connect)})
	}
	slices.SortStableFunc(f.Sites, func(a, b admin.SiteFigures) int { return cmp.Compare(b.Requests, a.Requests) })
	slices.SortStableFunc(f.Pools, func(a, b admin.PoolFigures) int { return cmp.Compare(b.Requests, a.Requests) })
	f.Sites, f.Pools = f.Sites[:min(len(f.Sites), figuresShown)], f.Pools[:min(len(f.Pools), figuresShown)]
	return f
}

// sum adds up what is shown of two sites.
func sum(a, b observe.Figures) observe.Figures {
	for i := range a.Requests {
		a.Requests[i] += b.Requests[i]
	}
	a.Received += b.Received
	a.Sent += b.Sent
	a.Retries += b.Retries
	a.Aborted += b.Aborted
	a.Duration = a.Duration.Add(b.Duration)
	return a
}

func siteFigures(f observe.Figures) admin.SiteFigures {
	return admin.SiteFigures{
		Site: f.Site, Requests: f.Total(), ClientErrors: f.Requests[4], ServerErrors: f.Requests[5] + f.Requests[0], Aborted: f.Aborted, Received: f.Received, Sent: f.Sent, Duration: quantiles(f.Duration),
	}
}

func quantiles(d metric.Distribution) admin.Quantiles {
	if d.Count() == 0 {
		return admin.Quantiles{}
	}
	at := func(q float64) float64 { return float64(d.Quantile(q)) / float64(time.Millisecond) }
	return admin.Quantiles{P50: at(0.5), P90: at(0.9), P99: at(0.99)}
}
