// Package build makes a snapshot of a config: routes, chains, pools, limits. It is the only package that knows every feature.
//
// Build is pure: the same config gives the same snapshot, no socket is opened and no goroutine started, so Build without Store is the config test. What must
// outlive a reload, endpoints with their connections and counters, is taken over from the previous snapshot by name.
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
	"sluice/internal/upstream"
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
	b := &builder{d: d, cfg: cfg, env: env, dates: new(forward.Dates), filters: map[*config.Node][]filter.Filter{}, protects: map[*config.Node][]string{}, rules: map[rulesKey]*forward.Rules{}}
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
	b.defaults()
	b.lint()
	return b.snap
}

// A builder is one run of Build.
type builder struct {
	d     *config.Decoder
	cfg   *config.Config
	env   Env
	snap  *snapshot.Snapshot
	dates *forward.Dates

	before map[endpointName][]*upstream.Endpoint // of the previous snapshot
	made   map[endpointName][]made
	built  map[*config.Pool]*pool

	// What many routes have in common is made once. Filters and rules never change, so they can be shared.
	filters  map[*config.Node][]filter.Filter // by the settings that they were made from
	protects map[*config.Node][]string        // names of fields, by the settings of headers
	again    config.Decoder                   // for what a filter's settings say beside the filter. Faults are reported when that is made; here they would be so twice
	rules    map[rulesKey]*forward.Rules
	last     lastChain
}

// lastChain is the chain that was built last.
type lastChain struct {
	site     string
	features []config.Entry
	tracing  config.SiteTracing
	traced   bool
	chain    *filter.Chain // nil at first
}

// chainOf is the chain of a scope before it is built.
func chainOf(site string, scope *config.Scope) lastChain {
	c := lastChain{site: site, features: scope.Features, traced: scope.Tracing != nil}
	if c.traced {
		c.tracing = *scope.Tracing
	}
	return c
}

// fits reports whether the chain is the one that next would have, too.
func (l *lastChain) fits(next lastChain) bool {
	return l.chain != nil && l.site == next.site && l.traced == next.traced && l.tracing == next.tracing &&
		slices.EqualFunc(l.features, next.features, func(a, b config.Entry) bool { return a.Value == b.Value })
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
			b.d.Hintf(site.Key, "not-built", fmt.Sprintf("for plain HTTP write %q", plainName(site.Name)), "TLS is not built yet: this site can't be served")
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

// plainName is the name of a site that has TLS without it.
func plainName(n config.SiteName) string {
	name := "http://" + bracketed(n.Host)
	if n.Port != 443 {
		name += fmt.Sprintf(":%d", n.Port)
	}
	return name
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

// defaults looks for faults in the features of defaults that no site inherits.
func (b *builder) defaults() {
	if b.cfg.Defaults == nil || b.cfg.Defaults.Kind != config.Map {
		return
	}
	features(b, &config.Scope{Features: b.cfg.Defaults.Entries})
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
		match := site.Routes[p.Rule].Match
		text, hint := p.String(), ""
		switch p.Kind {
		case route.Unreachable:
			text, hint = unreachable(named(&match[p.Match], p.Path), named(&site.Routes[p.By].Match[p.ByMatch], p.ByPath))
		case route.OtherHost:
			text = fmt.Sprintf("%q never matches: requests for it don't come to this site", p.Pattern)
			if p.By >= 0 {
				text += fmt.Sprintf(", but to %q", written[p.By].Key.Value)
			}
		}
		b.d.Hintf(placeOf(p, match), "unreachable", hint, "%s", text)
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
	if next := chainOf(site, scope); !b.last.fits(next) {
		chain := b.chain(site, features(b, scope), scope)
		b.last, b.last.chain = next, &chain
	}
	r.Chain = *b.last.chain
	if scope.To != nil && scope.To.Pool != nil {
		r.Forward = b.forwarder(scope)
		r.Trace = scope.Forward.Trace
	}
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
