package build

import (
	"slices"
	"strings"
	"time"

	"sluice/internal/config"
	"sluice/internal/exchange"
	"sluice/internal/filter/rewrite"
	"sluice/internal/forward"
	"sluice/internal/snapshot"
	"sluice/internal/upstream"
	"sluice/internal/upstream/client"
	"sluice/internal/upstream/dial"
	wire "sluice/internal/wire/h1"
)

// A pool is a built pool with the config that it was built from.
type pool struct {
	*upstream.Pool
	origins []string // hosts of its endpoints
}

// pools builds the pools that routes use. Endpoints of prev stay if pool and address do.
func (b *builder) pools(prev *snapshot.Snapshot) {
	b.before, b.made = byName(prev), map[endpointName][]made{}
	b.built = map[*config.Pool]*pool{}
	for _, target := range b.targets() {
		if b.built[target] == nil {
			p := b.pool(target)
			b.built[target] = p
			b.snap.Pools = append(b.snap.Pools, p.Pool)
		}
	}
}

// An endpointName is what an endpoint is recognised by over reloads. Pools that are written in place with the same servers have the same name.
type endpointName struct{ pool, address string }

// A made is an endpoint of the snapshot that is being built, with its settings in that one.
type made struct {
	*upstream.Endpoint
	settings *client.Settings
}

// byName are the endpoints of a snapshot, which may be nil, each once.
func byName(snap *snapshot.Snapshot) map[endpointName][]*upstream.Endpoint {
	all := map[endpointName][]*upstream.Endpoint{}
	if snap == nil {
		return all
	}
	for _, p := range snap.Pools {
		for _, ep := range p.Endpoints {
			name := endpointName{p.Name, ep.Address}
			if !slices.Contains(all[name], ep) {
				all[name] = append(all[name], ep)
			}
		}
	}
	return all
}

// targets are the pools that sites and routes send to, in the order of the config.
func (b *builder) targets() []*config.Pool {
	var all []*config.Pool
	add := func(s *config.Scope) {
		if s.To != nil && s.To.Pool != nil {
			all = append(all, s.To.Pool)
		}
	}
	for _, site := range b.cfg.Sites {
		add(&site.Scope)
		for _, r := range site.Routes {
			add(&r.Scope)
		}
	}
	return all
}

func (b *builder) pool(c *config.Pool) *pool {
	p := &pool{}
	var members []upstream.Member
	for i := range c.Servers {
		s := &c.Servers[i]
		if s.Address.Scheme != "http" && s.Address != (config.Address{}) {
			b.d.Errorf(s.Node, "not-built", "%s:// to servers is not built yet", s.Address.Scheme)
		}
		m := b.endpoint(c, s)
		members = append(members, upstream.Member{Endpoint: m.Endpoint, Settings: m.settings, Weight: max(s.Weight, 1)})
		p.origins = append(p.origins, s.Address.Host)
	}
	p.Pool = upstream.NewPool(c.Name, members, min(c.Retry.Attempts+1, upstream.AttemptsMax), b.env.Loops)
	return p
}

// endpoint takes over the endpoint of the same pool and address, or makes one. Pools that are written in place with the same servers share their endpoints, so that
// a limit on connections is one of the server, but where the settings differ: each of those has an endpoint of its own, and one rotation holds for all.
func (b *builder) endpoint(c *config.Pool, s *config.Server) made {
	m := made{settings: clientSettings(c, s, b.cfg)}
	name := endpointName{c.Name, s.Address.String()}
	siblings, before := b.made[name], b.before[name]
	for _, sibling := range siblings {
		if *sibling.settings == *m.settings {
			return sibling
		}
	}
	switch n := len(siblings); {
	case n < len(before):
		m.Endpoint = before[n]
	case n > 0:
		m.Endpoint = b.newEndpoint(s, m.settings, siblings[0].Rotation)
	default:
		m.Endpoint = b.newEndpoint(s, m.settings, &upstream.Rotation{})
	}
	b.made[name] = append(siblings, m)
	return m
}

func (b *builder) newEndpoint(s *config.Server, set *client.Settings, r *upstream.Rotation) *upstream.Endpoint {
	ep := &upstream.Endpoint{Address: s.Address.String(), Rotation: r}
	network, address := "tcp", s.Address.HostPort()
	if s.Address.Path != "" {
		network, address = "unix", s.Address.Path
		ep.Host = []byte("localhost")
	} else {
		ep.Name, ep.Port = []byte(s.Address.Host), s.Address.Port
		ep.Host = []byte(strings.TrimSuffix(address, ":80"))
	}
	ep.Client = client.New(dial.New(network, address, b.env.Resolver), set, b.env.Loops)
	return ep
}

func clientSettings(c *config.Pool, s *config.Server, cfg *config.Config) *client.Settings {
	l := &cfg.Limits
	connections := c.MaxConnections
	if s.MaxConnections != nil {
		connections = *s.MaxConnections
	}
	return &client.Settings{
		Wire: wire.Limits{
			HeadBytes: int(l.ResponseHead), FieldBytes: int(l.ResponseHead), Fields: l.ResponseFields, TrailerBytes: int(l.Trailers),
			ExtensionBytes: int(l.ChunkExtensions),
		},
		SendTimeout: time.Duration(l.SendTimeout),
		IdleTimeout: time.Duration(c.KeepAlive.Idle),
		IdleMax:     c.KeepAlive.Connections,
		Connections: connections,
		TunnelIdle:  time.Duration(l.TunnelTimeout),
	}
}

// forwarder builds how a route's exchanges go to its pool.
func (b *builder) forwarder(scope *config.Scope) *forward.Forwarder {
	c := scope.To.Pool
	p := b.built[c]
	set := forward.DefaultSettings()
	set.MapBack = scope.Forward.MapBack
	set.Hide = scope.Forward.Hide
	set.Protect = b.protected(scope)
	set.Origins = p.origins
	set.PathStripped, set.PathAdded = b.rewritten(scope)
	set.Dates = b.snap.Dates
	switch c.Host {
	case "keep", "":
	case "server":
		set.Host = forward.HostOrigin
	default:
		set.Host, set.HostValue = forward.HostFixed, string(c.Host)
	}
	t := scope.Timeouts.Over(c.Timeouts)
	content := exchange.ContentLimits{
		Bytes: int64(scope.Limits.RequestBody), MinRate: int64(scope.Limits.MinRate.Rate), MinRateAfter: time.Duration(scope.Limits.MinRate.After),
	}
	if content.Bytes == 0 {
		content.Bytes = -1
	}
	var meter forward.Meter
	if b.env.Metrics != nil {
		meter = b.env.Metrics.Pool(c.Name)
	}
	return &forward.Forwarder{
		Pool: p.Pool, Meter: meter, Rules: b.rulesOf(c, set), Content: content, Upgrades: scope.Forward.Upgrade,
		Timeouts:        client.Timeouts{Connect: time.Duration(t.Connect), Response: time.Duration(t.Response), Idle: time.Duration(t.Idle)},
		ExchangeTimeout: time.Duration(scope.Limits.ExchangeTimeout), EarlyHints: scope.Forward.EarlyHints,
	}
}

// rulesKey is what the rules of routes differ in.
type rulesKey struct {
	pool            *config.Pool
	mapBack         bool
	hide, protect   string
	stripped, added string
}

// rulesOf returns the rules for messages to and from a pool, the same for all routes with the same settings.
func (b *builder) rulesOf(c *config.Pool, set forward.Settings) *forward.Rules {
	key := rulesKey{c, set.MapBack, strings.Join(set.Hide, ","), strings.Join(set.Protect, ","), set.PathStripped, set.PathAdded}
	if b.rules[key] == nil {
		b.rules[key] = forward.NewRules(set)
	}
	return b.rules[key]
}

// rewritten returns the prefixes that the route's rewrite takes off a path and puts before it, for the way back of Location and cookies. Where it depends on the
// request what is done, there is no way back, and both are empty.
func (b *builder) rewritten(scope *config.Scope) (stripped, added string) {
	e, on := scope.Feature(rewrite.Name)
	if !on {
		return "", ""
	}
	c := config.Make[rewrite.Config](&b.again, e)
	if c.To != nil || len(c.Prefixes) > 1 {
		return "", ""
	}
	if len(c.Prefixes) == 1 {
		stripped, added = c.Prefixes[0].From, c.Prefixes[0].To
	}
	return stripped, c.AddPrefix + added
}
