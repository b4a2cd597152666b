package build

import (
	"fmt"
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

// pools builds the pools that routes use. Endpoints of prev stay if their key does.
func (b *builder) pools(prev *snapshot.Snapshot) {
	kept := keptOf(prev)
	b.built = map[*config.Pool]*pool{}
	for _, target := range b.targets() {
		if b.built[target] == nil {
			p := b.pool(target, kept)
			b.built[target] = p
			b.snap.Pools = append(b.snap.Pools, p.Pool)
		}
	}
}

// kept is what endpoints have from the snapshot before.
type kept struct {
	endpoints map[string]*upstream.Endpoint    // by key
	rotations map[[2]string]*upstream.Rotation // by the names of pool and address
}

func keptOf(prev *snapshot.Snapshot) kept {
	k := kept{map[string]*upstream.Endpoint{}, map[[2]string]*upstream.Rotation{}}
	if prev == nil {
		return k
	}
	for _, p := range prev.Pools {
		for _, ep := range p.Endpoints {
			k.endpoints[ep.Key] = ep
			k.rotations[[2]string{p.Name, ep.Address}] = ep.Rotation
		}
	}
	return k
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

func (b *builder) pool(c *config.Pool, k kept) *pool {
	p := &pool{}
	var endpoints []*upstream.Endpoint
	var weights []int
	for i := range c.Servers {
		s := &c.Servers[i]
		if s.Address.Scheme != "http" && s.Address != (config.Address{}) {
			b.d.Errorf(s.Node, "not-built", "%s:// to servers is not built yet", s.Address.Scheme)
		}
		endpoints = append(endpoints, b.endpoint(c, s, k))
		p.origins = append(p.origins, s.Address.Host)
		weights = append(weights, max(s.Weight, 1))
	}
	p.Pool = upstream.NewPool(c.Name, endpoints, weights, min(c.Retry.Attempts+1, upstream.AttemptsMax), b.env.Loops)
	return p
}

// endpoint takes over the endpoint of the same pool and address with the same limits, or makes one, which has at least the rotation of that address.
func (b *builder) endpoint(c *config.Pool, s *config.Server, k kept) *upstream.Endpoint {
	set := clientSettings(c, s, b.cfg)
	key := fmt.Sprintf("%s %s %+v", c.Name, s.Address, *set)
	if ep := k.endpoints[key]; ep != nil {
		return ep
	}
	ep := &upstream.Endpoint{Key: key, Address: s.Address.String()}
	if ep.Rotation = k.rotations[[2]string{c.Name, ep.Address}]; ep.Rotation == nil {
		ep.Rotation = &upstream.Rotation{}
	}
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
	set.Protect = protected(scope)
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
	// Faults are reported when the filter is made; here they would be so twice.
	c := config.Make[rewrite.Config](&config.Decoder{}, e)
	if c.To != nil || len(c.Prefixes) > 1 {
		return "", ""
	}
	if len(c.Prefixes) == 1 {
		stripped, added = c.Prefixes[0].From, c.Prefixes[0].To
	}
	return stripped, c.AddPrefix + added
}
