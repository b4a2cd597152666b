// Package build makes a snapshot of a config: routes, chains, pools, limits. It is the only package that knows every feature.
//
// Build is pure: the same config gives the same snapshot, no socket is opened and no goroutine started, so Build without Store is the config test. What must
// outlive a reload, endpoints with their connections and counters, is taken over from the previous snapshot by key.
package build

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/config"
	h1 "sluice/internal/downstream/h1"
	"sluice/internal/filter"
	"sluice/internal/forward"
	"sluice/internal/observe"
	"sluice/internal/observe/accesslog"
	"sluice/internal/observe/trace"
	"sluice/internal/route"
	"sluice/internal/snapshot"
	"sluice/internal/upstream/resolve"
	wire "sluice/internal/wire/h1"
)

// Env is what snapshots are built into: things that live beside them. A zero Env is enough for a config test.
type Env struct {
	Loops    int               // how many drivers there are
	Metrics  *observe.Metrics  // nil: nothing is counted
	Access   *accesslog.Log    // nil: no access log
	Traces   *trace.Tracer     // nil: nothing is traced
	Resolver *resolve.Resolver // of endpoints' names
	ReadFile func(name string) ([]byte, error)
}

// Build makes a snapshot of cfg. What is wrong is reported to d; if d.Failed, the result must not be used. prev may be nil.
func Build(d *config.Decoder, cfg *config.Config, prev *snapshot.Snapshot, env Env) *snapshot.Snapshot {
	b := &builder{d: d, cfg: cfg, env: env, dates: new(forward.Dates)}
	b.snap = &snapshot.Snapshot{Generation: 1, Dates: b.dates, H1: b.settings()}
	if prev != nil {
		b.snap.Generation = prev.Generation + 1
		b.snap.Dates = prev.Dates
	}
	b.snap.Trust = forward.NewTrust(forward.TrustSettings{
		Networks: cfg.TrustedProxies.Networks, Unix: cfg.TrustedProxies.Unix, Reports: reports(cfg.TrustedProxies.Fields),
	})
	b.pools(prev)
	b.snap.Refused = b.refused()
	b.listeners()
	b.routes()
	return b.snap
}

// A builder is one run of Build.
type builder struct {
	d     *config.Decoder
	cfg   *config.Config
	env   Env
	snap  *snapshot.Snapshot
	dates *forward.Dates
	built map[*config.Pool]*pool
}

// settings are the limits of connections.
func (b *builder) settings() *h1.Settings {
	l := &b.cfg.Limits
	s := &h1.Settings{
		Wire: wire.Limits{
			HeadBytes: int(l.Head), FieldBytes: int(l.Field), Fields: l.Fields, TargetBytes: int(l.Target), TrailerBytes: int(l.Trailers),
			ExtensionBytes: int(l.ChunkExtensions),
		},
		HeadTimeout:   time.Duration(l.HeadTimeout),
		IdleTimeout:   time.Duration(l.IdleTimeout),
		MinRate:       int64(l.MinRate.Rate),
		MinRateAfter:  time.Duration(l.MinRate.After),
		SendTimeout:   time.Duration(l.SendTimeout),
		LingerTimeout: time.Duration(l.LingerTimeout),
		LingerBytes:   int64(l.Linger),
		TunnelIdle:    time.Duration(l.TunnelTimeout),
		Exchanges:     l.Requests,
	}
	if b.env.Metrics != nil {
		s.Reached = b.env.Metrics.Reached
	}
	return s
}

func reports(f config.TrustedFields) forward.Reports {
	switch f {
	case "x_forwarded":
		return forward.ReportsXForwarded
	case "forwarded":
		return forward.ReportsForwarded
	}
	return forward.ReportsEither
}

// listeners are the addresses that sites need, each once, in the order of the sites.
func (b *builder) listeners() {
	seen := map[string]bool{}
	for _, site := range b.cfg.Sites {
		if site.Name == (config.SiteName{}) {
			continue // its fault has been reported
		}
		if site.Name.TLS() {
			b.d.Hintf(site.Key, "not-built", "for plain HTTP write \"http://"+site.Name.Host+"\"", "TLS is not built yet: this site can't be served")
			continue
		}
		name := listenerName(site.Name)
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, address := range b.addresses(site.Name.Port) {
			b.snap.Listeners = append(b.snap.Listeners, snapshot.Listener{Name: name, Address: address})
		}
	}
}

// addresses are what to listen on for a port: all addresses, or those that the listeners section names.
func (b *builder) addresses(port uint16) []string {
	text := strconv.Itoa(int(port))
	var all []string
	if l := b.cfg.Listeners[text]; l != nil {
		for _, a := range l.Addresses {
			all = append(all, net.JoinHostPort(a.String(), text))
		}
	}
	if len(all) == 0 {
		all = []string{":" + text}
	}
	return all
}

// listenerName is how routes and connections call the listener of a site.
func listenerName(n config.SiteName) string { return fmt.Sprintf(":%d", n.Port) }

// routes compiles the sites.
func (b *builder) routes() {
	var sites []route.Site
	var written []*config.Site // of which the sites are
	for _, s := range b.cfg.Sites {
		host, err := route.ParseHost(bracketed(s.Name.Host))
		if err != nil {
			b.d.Errorf(s.Key, "bad-host", "%v", err)
			continue
		}
		site := route.Site{Listener: listenerName(s.Name), Host: host, Route: b.route(s.Key.Value, "site", &s.Scope)}
		for i, r := range s.Routes {
			rule := route.Rule{Matches: compileMatch(b.d, r.Match), Route: b.route(s.Key.Value, routeName(i, r), &r.Scope)}
			site.Rules = append(site.Rules, rule)
		}
		if s.Name == (config.SiteName{}) {
			continue // the fault of its name has been reported, and those of its settings now
		}
		sites = append(sites, site)
		written = append(written, s)
	}
	fallback := func(name string, f route.Forwarder) *route.Route {
		return &route.Route{Name: name, Chain: b.snap.Refused, Forward: f}
	}
	table, problems := route.Build(sites, route.Fallbacks{
		Misdirected: fallback("no site", route.Misdirected()), PathTooLong: fallback("path too long", route.PathTooLong()),
	})
	b.snap.Routes = table
	b.report(problems, written)
}

// bracketed returns a host as authorities have it: IPv6 addresses in brackets.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// report turns the table's problems into diagnostics at their places.
func (b *builder) report(problems []route.Problem, written []*config.Site) {
	for _, p := range problems {
		site := written[p.Site]
		if p.Rule < 0 {
			b.d.Errorf(site.Key, "duplicate-site", "%v", p)
			continue
		}
		text := p.String()
		if p.Kind == route.Unreachable {
			if by := firstPlace(site.Routes[p.By].Match); by != nil {
				text = fmt.Sprintf("%q never matches: %q on line %d takes it first; move it up", p.Pattern, p.ByPattern, by.Pos.Line)
			}
		}
		b.d.Errorf(placeOf(p, site.Routes[p.Rule].Match), "unreachable", "%s", text)
	}
}

// routeName is what logs call a route: its number and first path.
func routeName(i int, r *config.Route) string {
	name := strconv.Itoa(i + 1)
	if len(r.Match) > 0 && len(r.Match[0].Path) > 0 {
		name += " " + r.Match[0].Path[0]
	}
	return name
}

// route builds what happens to the requests of one scope.
func (b *builder) route(site, name string, scope *config.Scope) *route.Route {
	r := &route.Route{Site: site, Name: name, Forward: route.NotFound()}
	chain := features(b, scope)
	if scope.To != nil && scope.To.Pool != nil {
		r.Forward = b.forwarder(scope)
		r.Trace = scope.Forward.Trace
	}
	r.Chain = b.chain(site, chain, scope)
	return r
}

// chain puts what traces before the features of a route, and what counts and logs behind them: the log has the IDs of the trace.
func (b *builder) chain(site string, features ordered, scope *config.Scope) filter.Chain {
	observers := b.counters(site)
	if _, ok := scope.Feature(accesslog.Name); !ok {
		observers = append(observers, b.logger(scope)...)
	}
	return filter.NewChain(slices.Concat(b.tracer(scope.Tracing), features.requests, observers), features.responses)
}

// refused is the chain of what reaches no site, such as requests that are not valid.
func (b *builder) refused() filter.Chain {
	var tracing *config.SiteTracing
	if b.cfg.Tracing != nil {
		tracing = &b.cfg.Tracing.SiteTracing
	}
	return filter.NewChain(slices.Concat(b.tracer(tracing), b.counters(""), b.logger(nil)), nil)
}

// tracer is the filter that traces, if anything does.
func (b *builder) tracer(s *config.SiteTracing) []filter.Filter {
	if s == nil || b.env.Traces == nil || b.cfg.Tracing == nil {
		return nil
	}
	trusts := b.snap.Trust.Trusts
	switch s.Trust {
	case "everyone":
		trusts = func(netip.Addr) bool { return true }
	case "nobody":
		trusts = func(netip.Addr) bool { return false }
	}
	return []filter.Filter{trace.NewFilter(b.env.Traces, float64(s.Sample)/float64(config.ShareMax), trusts)}
}

// counters are the filters that count the exchanges of a site.
func (b *builder) counters(site string) []filter.Filter {
	if b.env.Metrics == nil {
		return nil
	}
	return []filter.Filter{b.env.Metrics.Site(site)}
}

// logger is the filter that logs every exchange of a scope, or none if its log is off. scope may be nil.
func (b *builder) logger(scope *config.Scope) []filter.Filter {
	switch {
	case b.env.Access == nil:
		return nil
	case scope != nil && scope.IsOff(accesslog.Name):
		return []filter.Filter{accesslog.NewSilentFilter(b.env.Access)}
	}
	var all accesslog.Config
	all.Defaults()
	return []filter.Filter{accesslog.NewFilter(b.env.Access, all)}
}
