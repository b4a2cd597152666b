package build

import (
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/config"
	"sluice/internal/filter/redirect"
	"sluice/internal/filter/rewrite"
)

// A spot is a site or one of its routes, to be looked at for what is likely not meant. What is found here works as written; faults are found elsewhere.
type spot struct {
	site  *config.Site
	match config.Match // nil for the site itself
	scope *config.Scope
}

// lint warns of what is likely not meant. docs/configuration.md lists the warnings.
func (b *builder) lint() {
	for _, site := range b.cfg.Sites {
		b.lintOpenPrivate(site)
		b.lintSpot(&spot{site: site, scope: &site.Scope})
		for _, r := range site.Routes {
			b.lintSpot(&spot{site, r.Match, &r.Scope})
		}
	}
}

func (b *builder) lintSpot(s *spot) {
	for i := range s.match {
		b.lintRegexps(&s.match[i])
		if s.scope.To != nil {
			b.lintOpenPath(s, &s.match[i])
		}
	}
	b.lintRedirect(s)
	b.lintRewrite(s)
	b.lintTimeouts(s)
}

// lintRegexps warns of expressions that are found anywhere in a path: "/admin" takes /x/administrator, too.
func (b *builder) lintRegexps(c *config.Condition) {
	for i, re := range c.PathRegexp {
		if re == nil || re.String() == "" {
			continue
		}
		if tree, err := syntax.Parse(re.String(), syntax.Perl); err == nil && !anchored(tree) {
			at := place(c.Node, "path_regexp", i)
			b.d.Warnf(at, "unanchored-regexp", "this is found anywhere in a path; ^ and $ tie it to the beginning and the end")
		}
	}
}

// anchored reports whether an expression says anything of where in the text it is.
func anchored(tree *syntax.Regexp) bool {
	switch tree.Op {
	case syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return true
	}
	for _, sub := range tree.Sub {
		if anchored(sub) {
			return true
		}
	}
	return false
}

// operators finds paths that are for the people and programs that run an application, and tell strangers too much.
var operators = regexp.MustCompile(`^/(metrics|debug|actuator|server-status|server-info|nginx_status|heapdump|threaddump|\.git|\.env|\.svn)([/*.]|$)`)

// lintOpenPath warns of paths that operators alone should see, where anybody gets them from a server. Whoever asks by a condition on the client or by a field, or has a
// feature that keeps others out, has thought of it.
func (b *builder) lintOpenPath(s *spot, c *config.Condition) {
	if asksWho(c) || guarded(s.scope) {
		return
	}
	for i, path := range c.Path {
		if operators.MatchString(path) {
			at := place(c.Node, "path", i)
			b.d.Warnf(at, "open-path", "any client gets %q from the server; match: { path: %s, client_ip: … } keeps strangers out", path, path)
		}
	}
}

// asksWho reports whether a condition is on the client, or on a field, which may hold what strangers don't know.
func asksWho(c *config.Condition) bool { return len(c.ClientIP) > 0 || len(c.Header) > 0 }

// guarded reports whether a feature keeps requests, or those of strangers, from the servers.
func guarded(s *config.Scope) bool {
	for _, key := range []string{"respond", "redirect", "access", "basic_auth"} {
		if _, on := s.Feature(key); on {
			return true
		}
	}
	return false
}

// Names that are not for the public: those that no public DNS has (RFC 6762, appendix G; RFC 8375; ICANN's .internal), and applications that seldom are.
// Names that are as often public (intra., api., dev.) are left out: a warning that is wrong half the time is not read.
var (
	internalDomains = regexp.MustCompile(`\.(internal|local|lan|corp|intranet|private|home|home\.arpa)$`)
	internalApps    = regexp.MustCompile(`^(admin|intranet|internal|alertmanager|grafana|jenkins|kibana|pgadmin|phpmyadmin|prometheus)\.`)
)

// isInternal reports whether a host's name says that it is not for the public.
func isInternal(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || host == "" || host == "localhost" {
		return false
	}
	return !strings.Contains(host, ".") || internalDomains.MatchString(host) || internalApps.MatchString(host)
}

// lintOpenPrivate warns of a site that is internal by its name, while any client that reaches this machine gets it from the servers. A name keeps
// nobody out: it is a field of the request. Where one route asks for the client, somebody has thought of it.
func (b *builder) lintOpenPrivate(site *config.Site) {
	if !isInternal(site.Name.Host) || b.listensInternally(site.Name.Port) {
		return
	}
	open := site.To != nil && !guarded(&site.Scope)
	for _, r := range site.Routes {
		if slices.ContainsFunc(r.Match, func(c config.Condition) bool { return asksWho(&c) }) {
			return
		}
		open = open || r.To != nil && !guarded(&r.Scope)
	}
	if open {
		b.d.Report(config.Diagnostic{
			Severity: config.Warning, Code: "open-private", Pos: site.Key.Pos, Width: site.Key.Width,
			Text:       "by its name this site is internal, but any client gets it from the servers",
			Suggestion: "routes with match: { client_ip: … }, or private addresses under listeners, keep strangers out",
		})
	}
}

// sharedSpace is for networks behind a carrier's or an overlay's address translation (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// listensInternally reports whether a port is open on addresses only that strangers don't reach.
func (b *builder) listensInternally(port uint16) bool {
	l := b.cfg.Listeners[strconv.Itoa(int(port))]
	return l != nil && len(l.Addresses) > 0 && !slices.ContainsFunc(l.Addresses, func(a netip.Addr) bool {
		a = a.Unmap()
		return !a.IsLoopback() && !a.IsPrivate() && !a.IsLinkLocalUnicast() && !sharedSpace.Contains(a)
	})
}

// lintRedirect warns of redirects that lead back to where they stand.
func (b *builder) lintRedirect(s *spot) {
	e, on := s.scope.Feature(redirect.Name)
	if !on {
		return
	}
	to := e.Value
	if to.Kind == config.Map {
		if to.Get("path_regexp") != nil {
			return
		}
		to = to.Get("to")
	}
	if to == nil || to.Kind != config.Scalar || to.Secret {
		return
	}
	target := to.Value
	for _, here := range []string{s.site.Key.Value, "http://{host}", "http://{authority}", "{scheme}://{authority}"} {
		if s.site.Name.Port == 80 || here != "http://{host}" {
			target = strings.TrimPrefix(target, here)
		}
	}
	if target == "{uri}" || target == "{path}" || strings.HasPrefix(target, "/") && !strings.Contains(target, "{") && s.takes(target) {
		b.d.Warnf(to, "self-redirect", "this leads clients back to where they come from, for ever")
	}
}

// takes reports whether the requests for a path come to s, as far as paths say.
func (s *spot) takes(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	if s.match == nil {
		for _, r := range s.site.Routes {
			if (&spot{match: r.Match}).takes(path) {
				return false
			}
		}
		return true
	}
	for i := range s.match {
		c := &s.match[i]
		for _, pattern := range c.Path {
			prefix, open := strings.CutSuffix(pattern, "*")
			if len(c.Node.Entries) <= 1 && (pattern == path || open && strings.HasPrefix(path, prefix)) {
				return true
			}
		}
	}
	return false
}

// lintRewrite warns of rewrites that change nothing.
func (b *builder) lintRewrite(s *spot) {
	e, on := s.scope.Feature(rewrite.Name)
	if !on {
		return
	}
	to := e.Value
	if to.Kind == config.Map {
		for _, prefix := range entries(to.Get("replace_prefix")) {
			if prefix.Key.Value == prefix.Value.Value {
				b.d.Warnf(prefix.Value, "same-path", "this prefix is replaced by itself")
			}
		}
		if to.Get("path_regexp") != nil {
			return
		}
		to = to.Get("to")
	}
	if to == nil || to.Kind != config.Scalar || to.Secret {
		return
	}
	same := to.Value == "{path}" || to.Value == "{uri}"
	if len(s.match) == 1 && len(s.match[0].Path) == 1 && s.match[0].Path[0] == to.Value {
		same = true
	}
	if same {
		b.d.Warnf(to, "same-path", "this is the path that requests have already")
	}
}

func entries(n *config.Node) []config.Entry {
	if n == nil {
		return nil
	}
	return n.Entries
}

// lintTimeouts warns of a time that never runs out, since the whole exchange may take no longer.
func (b *builder) lintTimeouts(s *spot) {
	whole := s.scope.Limits.ExchangeTimeout
	if whole == 0 || s.scope.To == nil || s.scope.To.Pool == nil {
		return
	}
	pool := s.scope.To.Pool
	t := s.scope.Timeouts.Over(pool.Timeouts)
	for _, one := range []struct {
		key   string
		value config.Duration
	}{{"connect", t.Connect}, {"response", t.Response}, {"idle", t.Idle}} {
		at := s.scope.Node.Get("timeouts").Get(one.key)
		if at == nil {
			at = pool.Node.Get("timeouts").Get(one.key)
		}
		if at != nil && one.value > whole {
			b.d.Warnf(at, "useless-timeout", "%q never runs out: the whole exchange may take %v", one.key, whole)
		}
	}
}
