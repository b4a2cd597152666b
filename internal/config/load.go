package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A Config is a whole configuration, decoded: what build makes a snapshot of. It has no behaviour.
type Config struct {
	// Root is the tree that it was decoded from, with all included files instead of include.
	Root *Node `conf:",node"`

	// Email is who a certificate authority writes to.
	Email string `conf:"email"`
	// ACME says how certificates are got.
	ACME ACME `conf:"acme"`
	// Defaults are settings that all sites inherit.
	Defaults *Node `conf:"defaults"`
	// Pools are the sets of origin servers, by name.
	Pools map[string]*Pool `conf:"pools"`
	// Sites are in written order.
	Sites []*Site
	// SiteEntries are what is served, by name: "example.com", "http://example.com", "*.example.com", "http://:8080".
	SiteEntries []Entry `conf:"sites,required"`
	// Listeners say more about ports, which are the keys. The names of sites open ports without it.
	Listeners map[string]*Listener `conf:"listeners"`
	// TrustedProxies are the proxies in front of this one.
	TrustedProxies TrustedProxies `conf:"trusted_proxies"`
	// Limits bound what the process takes.
	Limits Limits `conf:"limits"`
	// Log says what is logged.
	Log Log `conf:"log"`
	// Tracing sends spans to an OpenTelemetry collector; off sends none.
	Tracing *Tracing `conf:"tracing,off"`
	// Admin is the server for operators; off is none.
	Admin *Admin `conf:"admin,off"`
	// Include names further files, with patterns; paths are relative to this file. Their pools, sites and listeners are added to those of this file.
	Include []string `conf:"include,one"`
}

// fillDefaults fills in what holds where nothing is set.
func (c *Config) fillDefaults() {
	c.Limits.Defaults()
	c.Log.Defaults()
	c.TrustedProxies.Fields = "either"
	c.Admin = &Admin{}
	c.Admin.Defaults()
}

// Load reads a configuration file and what it includes. It returns nil if there is nothing that could be decoded; if d.Failed, the result is good for
// finding further faults only. d.Features names the features that sites and routes may have.
func Load(d *Decoder, src Source, file string) *Config {
	before := d.errors
	root := d.Parse(src, file)
	if root == nil {
		if d.errors > before {
			return nil
		}
		d.Report(Diagnostic{Code: "empty", Pos: Pos{file, 1, 1}, Text: "this file holds no settings"})
		return nil
	}
	if root.Kind != Map {
		d.notMap(root)
		return nil
	}
	if root.Get("include") != nil {
		root = d.include(src, file, root)
	}
	d.findSecrets("", root)
	c := &Config{}
	c.fillDefaults()
	d.Decode(root, c)
	checkEmail(d, root.Get("email"))
	l := &loader{d: d, c: c, siteKeys: append(Keys(Site{}), d.Features...), scopeKeys: append(Keys(Scope{}), d.Features...), used: map[*Pool]bool{}, inPlace: map[*Node]*Pool{}}
	l.pools()
	l.listeners()
	read := d.errors
	l.sites()
	if d.errors != read {
		l.useNamed(root.Get("sites"))
		l.useNamed(root.Get("defaults"))
	}
	l.unusedPools()
	l.unusedListeners()
	l.adminPort()
	c.Root = root.without("include") // what is in those files is in the tree: it could not be read again with both
	return c
}

// notMap reports a file that is no map.
func (d *Decoder) notMap(root *Node) {
	hint := ""
	if root.Kind == Scalar && !root.Secret {
		hint = separatorHint(root.Value, Keys(Config{}))
	}
	d.Hintf(root, "wrong-type", hint, "a configuration is a map of settings, not %s", describe(root))
}

// A loader does what the struct tags of Config can't say.
type loader struct {
	d         *Decoder
	c         *Config
	defaults  *Node
	siteKeys  []string // the settings of a site
	scopeKeys []string // the settings that inherit
	used      map[*Pool]bool
	inPlace   map[*Node]*Pool // pools that are written after to, by their node
}

func (l *loader) pools() {
	entries := l.c.Root.Get("pools")
	if entries == nil {
		return
	}
	for _, e := range entries.Entries {
		switch {
		case e.Key.Value == "" || strings.ContainsAny(e.Key.Value, ":/, "):
			l.d.Errorf(e.Key, "bad-name", "a pool's name is a word without colons, commas, slashes and spaces")
		case e.Key.Value == "off":
			l.d.Errorf(e.Key, "bad-name", "a pool can't be called off: to: off switches to off")
		}
		if pool := l.c.Pools[e.Key.Value]; pool != nil {
			pool.Name = e.Key.Value
		}
	}
	l.d.pools = slices.Sorted(maps.Keys(l.c.Pools))
}

func (l *loader) listeners() {
	entries := l.c.Root.Get("listeners")
	if entries == nil {
		return
	}
	for _, e := range entries.Entries {
		if _, err := parsePort(e.Key.Value); err != nil {
			l.d.Errorf(e.Key, "bad-port", "a listener's key is its port, from 1 to 65535")
		}
	}
}

func (l *loader) sites() {
	if l.c.Defaults != nil {
		l.checkDefaults()
	}
	seen := map[SiteName]*Node{}
	for _, e := range l.c.SiteEntries {
		if slices.Contains(l.siteKeys, e.Key.Value) {
			l.d.Hintf(e.Key, "bad-site-name", "indent it like what belongs to the site above it", "%q is a setting of a site, not the name of one", e.Key.Value)
			continue
		}
		name, err := ParseSiteName(e.Key.Value)
		if err != nil {
			l.d.nameError(e.Key, err)
			name = SiteName{}
		} else if first := seen[name]; first != nil {
			l.d.Errorf(e.Key, "duplicate-site", "%v is a site already: %q, %s", name, first.Value, e.Key.other(first))
			name = SiteName{}
		} else {
			seen[name] = e.Key
		}
		l.d.under(e.Key, func() { l.site(e, name) })
	}
}

// nameError reports a wrong name of a site.
func (d *Decoder) nameError(key *Node, err error) {
	hint := ""
	if fault, ok := err.(*scalarError); ok && fault.hint != "" {
		hint = fmt.Sprintf("did you mean %q?", fault.hint)
	}
	d.Hintf(key, "bad-site-name", hint, "%q is not the name of a site: %s", key.Value, err)
}

// checkDefaults decodes defaults for its faults alone, since sites may replace every one of them.
func (l *loader) checkDefaults() {
	var scope Scope
	scope.Forward.Defaults()
	key := &Node{Value: "defaults", Pos: l.c.Defaults.Pos, Width: l.c.Defaults.Width}
	l.d.under(key, func() { l.d.Decode(l.c.Defaults, &scope) })
	l.oneAnswer(l.c.Defaults)
	if t := scope.To; t != nil && t.name != "" && l.c.Pools[t.name] == nil {
		l.unknownPool(t)
	}
	if l.c.Defaults.Kind == Map {
		l.defaults = l.c.Defaults.only(l.scopeKeys)
	}
}

// scope returns a Scope with the defaults that are not written.
func (l *loader) scope() Scope {
	s := Scope{Limits: l.c.Limits.SiteLimits}
	s.Forward.Defaults()
	if l.c.Tracing != nil {
		s.Tracing = &l.c.Tracing.SiteTracing
	}
	return s
}

func (l *loader) site(e Entry, name SiteName) {
	site := &Site{Key: e.Key, Name: name, Scope: l.scope()}
	before := l.d.errors
	if e.Value.Kind != Map {
		l.noSite(e.Value, site)
		return
	}
	l.oneAnswer(e.Value)
	merged := inherit(l.defaults, e.Value)
	l.d.Decode(merged, site)
	l.tracing(&site.Scope)
	l.resolve(&site.Scope)
	l.c.Sites = append(l.c.Sites, site)
	failed := l.d.errors != before
	if !failed && !hasAnswer(merged) && len(site.RouteNodes) == 0 && !merged.gap {
		l.d.Errorf(e.Key, "no-answer", `this site does nothing: it has no "to", "respond", "redirect" or "routes"`)
	}
	base := merged.only(l.scopeKeys)
	for _, n := range site.RouteNodes {
		l.d.under(&Node{Pos: n.Pos, Width: n.Width}, func() { l.route(site, base, n, failed) })
	}
}

// noSite reports what stands where the settings of a site belong.
func (l *loader) noSite(n *Node, site *Site) {
	isTarget := n.Kind == Scalar && !n.Secret && (strings.Contains(n.Value, ":") || slices.Contains(l.d.pools, n.Value)) && !strings.HasPrefix(n.Value, "to")
	switch {
	case n.Kind == Null:
		l.d.Hintf(n, "no-value", "indent what belongs to it deeper", "%s has no value; it wants a map of settings", l.d.name())
	case isTarget:
		l.d.Hintf(n, "wrong-type", fmt.Sprintf("write { to: %s }", n.Value), "%s wants a map of settings, not %s", l.d.name(), describe(n))
	case n.Kind == List && n.flow:
		l.d.Hintf(n, "wrong-type", "write { to: […] }", "%s wants a map of settings, not a list", l.d.name())
	default:
		l.d.Decode(n, site)
	}
}

// noRoute reports what stands where a route belongs.
func (l *loader) noRoute(n *Node) {
	switch {
	case n.Kind == Null:
		l.d.Hintf(n, "no-value", "take the hyphen away", "nothing stands here; a route is a map with match")
	case n.Kind == Scalar && !n.Secret && strings.HasPrefix(n.Value, "/"):
		l.d.Hintf(n, "wrong-type", fmt.Sprintf("write { match: %s, … }", n.Value), "a route is a map with match, not %s", describe(n))
	default:
		l.d.Errorf(n, "wrong-type", "a route is a map with match, not %s", describe(n))
	}
}

func (l *loader) route(site *Site, base, n *Node, siteFailed bool) {
	route := &Route{Scope: l.scope()}
	before := l.d.errors
	if n.Kind != Map {
		l.noRoute(n)
		return
	}
	l.oneAnswer(n)
	merged := inherit(base, n)
	l.d.Decode(merged, route)
	l.tracing(&route.Scope)
	l.resolve(&route.Scope)
	site.Routes = append(site.Routes, route)
	if !siteFailed && l.d.errors == before && !hasAnswer(merged) && !merged.gap {
		l.d.Errorf(n, "no-answer", `this route leads nowhere: neither it nor its site has "to", "respond" or "redirect"`)
	}
}

// tracing warns of settings of a scope that come to nothing.
func (l *loader) tracing(s *Scope) {
	if s.Tracing != nil && l.c.Tracing == nil {
		l.d.Report(at(s.Node.Get("tracing"), Warning, "no-collector", "", `nothing is traced: there is no "tracing" with an endpoint at the top`))
	}
}

// hasAnswer reports whether a level says where requests go.
func hasAnswer(n *Node) bool {
	return slices.ContainsFunc(answerKeys(), func(key string) bool { return n.Get(key) != nil && !n.Get(key).IsOff() })
}

// oneAnswer refuses a level that says twice where requests go.
func (l *loader) oneAnswer(level *Node) {
	var first *Node
	for _, e := range level.Entries {
		if !slices.Contains(answerKeys(), e.Key.Value) || e.Value.IsOff() {
			continue
		}
		if first != nil {
			l.d.Errorf(e.Key, "conflict", "%q and %q can't stand side by side: a request has one answer", first.Value, e.Key.Value)
			return
		}
		first = e.Key
	}
}

// resolve finds the pool that a scope's target names. A pool in place is shared by all who inherit it.
func (l *loader) resolve(s *Scope) {
	if s.To == nil {
		return
	}
	if s.To.name == "" && s.To.Pool == nil {
		return // it has been said
	}
	if s.To.name == "" {
		if first := l.inPlace[s.To.Node]; first != nil {
			s.To.Pool = first
		}
		l.inPlace[s.To.Node] = s.To.Pool
		return
	}
	s.To.Pool = l.c.Pools[s.To.name]
	if s.To.Pool == nil {
		l.unknownPool(s.To)
		return
	}
	l.used[s.To.Pool] = true
}

func (l *loader) unknownPool(t *Target) {
	if t.Node.Secret {
		l.d.Errorf(t.Node, "unknown-pool", "there is no pool with this name, which is hidden")
		return
	}
	names := l.d.pools
	hint := ""
	digits, rest := cutDigits(t.name)
	switch best := nearest(t.name, names); {
	case best != "":
		hint = fmt.Sprintf("did you mean %q?", best)
		l.used[l.c.Pools[best]] = true
	case rest == "" && digits != "":
		hint = fmt.Sprintf("did you mean %q?", "127.0.0.1:"+digits)
	case strings.Contains(t.name, ".") || t.name == "localhost":
		hint = fmt.Sprintf("an address needs a port: %q", t.name+":80")
	case len(names) > 0 && len(names) <= 12:
		hint = "pools: " + strings.Join(names, ", ")
	}
	l.d.Hintf(t.Node, "unknown-pool", hint, "there is no pool %s", describe(t.Node))
}

// useNamed takes every pool for used whose name stands somewhere below n: it is for configurations with faults, which may be why a pool is not reached.
func (l *loader) useNamed(n *Node) {
	if n == nil {
		return
	}
	if pool := l.c.Pools[n.Value]; n.Kind == Scalar && pool != nil {
		l.used[pool] = true
	}
	for _, item := range n.Items {
		l.useNamed(item)
	}
	for _, e := range n.Entries {
		l.useNamed(e.Value)
	}
}

func (l *loader) unusedPools() {
	entries := l.c.Root.Get("pools")
	if entries == nil {
		return
	}
	for _, e := range entries.Entries {
		if pool := l.c.Pools[e.Key.Value]; pool != nil && !l.used[pool] && !l.d.isFaulty(e.Key) {
			diag := at(e.Key, Warning, "unused-pool", "", fmt.Sprintf("no site sends requests to pool %q", e.Key.Value))
			l.d.Report(diag)
		}
	}
}

// unusedListeners warns of ports that no site has, and of a configuration without sites.
func (l *loader) unusedListeners() {
	sites := l.c.Root.entry("sites")
	if sites != nil && l.d.errors == 0 && sites.Value.Kind == Map && len(sites.Value.Entries) == 0 && !sites.Value.gap {
		l.d.Warnf(sites.Key, "no-site", "there is no site: every request is refused")
	}
	if l.c.Root.Get("listeners") == nil {
		return
	}
	ports := map[uint16]bool{0: true}
	for _, site := range l.c.Sites {
		ports[site.Name.Port] = true
	}
	for _, e := range l.c.Root.Get("listeners").Entries {
		if port, err := parsePort(e.Key.Value); err == nil && !ports[port] {
			l.d.Warnf(e.Key, "unused-listener", "no site is on port %d", port)
		}
	}
}

// adminPort refuses an admin server on a port of sites, which have all its addresses unless listeners says otherwise.
func (l *loader) adminPort() {
	if l.c.Admin == nil || l.c.Admin.Listen == nil || l.c.Admin.Listen.Port == 0 {
		return
	}
	port := l.c.Admin.Listen.Port
	if listener := l.c.Listeners[strconv.Itoa(int(port))]; listener != nil && len(listener.Addresses) > 0 {
		return
	}
	for _, site := range l.c.Sites {
		if site.Name.Port == port {
			l.d.Errorf(l.c.Root.Get("admin").Get("listen"), "conflict", "port %d is that of site %q already", port, site.Key.Value)
			return
		}
	}
}

// only returns n with no other keys than these.
func (n *Node) only(keys []string) *Node {
	if n == nil {
		return nil
	}
	rest := *n
	rest.Entries = make([]Entry, 0, len(n.Entries))
	for _, e := range n.Entries {
		if slices.Contains(keys, e.Key.Value) {
			rest.Entries = append(rest.Entries, e)
		}
	}
	return &rest
}

// other says where first is, seen from n.
func (n *Node) other(first *Node) string {
	if n.Pos.File != first.Pos.File {
		return fmt.Sprintf("in %s:%d:%d", first.Pos.File, first.Pos.Line, first.Pos.Column)
	}
	return fmt.Sprintf("on line %d, column %d", first.Pos.Line, first.Pos.Column)
}
