package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// A Site is all that is served under one name.
type Site struct {
	// Key is the site's key as written.
	Key *Node
	// Name is what the key says; it is zero if that is faulty, or another site's.
	Name SiteName

	// Scope is what the site does with requests that no route takes.
	Scope
	// Routes are tried in this order; the first whose Match holds takes the request.
	Routes []*Route

	// RouteNodes are tried in written order; the first whose match holds takes the request.
	RouteNodes []*Node `conf:"routes"`
}

// ConfigName implements Named.
func (*Site) ConfigName() string { return "a site" }

// A Route is what a site does with some of its requests.
type Route struct {
	// Match says which requests: any of these conditions. It is never empty.
	Match Match `conf:"match,required"`

	// Scope is what the route does, with what it inherits from its site and from defaults.
	Scope
}

// ConfigName implements Named.
func (*Route) ConfigName() string { return "a route" }

// A Scope is settings that inherit: defaults, then the site, then the route.
type Scope struct {
	// Node is the merged map.
	Node *Node `conf:",node"`

	// To is where requests go, unless a feature answers.
	To *Target `conf:"to,off"`
	// Timeouts replace those of the pool where they are set.
	Timeouts ScopeTimeouts `conf:"timeouts"`
	// Limits begin with what the top-level limits say.
	Limits SiteLimits `conf:"limits"`
	// Forward says what the proxy does to messages on their way.
	Forward Forward `conf:"forward"`
	// Tracing begins with what the top-level tracing says; off makes no spans and leaves traceparent and tracestate alone.
	Tracing *SiteTracing `conf:"tracing,off"`
	// Features are the settings of features, in written order, for build to decode with Make. One that IsOff is switched off.
	Features []Entry `conf:",rest"`
}

// ConfigName implements Named.
func (*Scope) ConfigName() string { return "defaults" }

// Feature returns the settings of a feature and whether it is there and not switched off.
func (s *Scope) Feature(key string) (Entry, bool) {
	for _, e := range s.Features {
		if e.Key.Value == key {
			return e, !e.Value.IsOff()
		}
	}
	return Entry{}, false
}

// IsOff reports whether a feature is switched off by name, which is more than that nothing is said of it.
func (s *Scope) IsOff(key string) bool {
	e, on := s.Feature(key)
	return e.Key != nil && !on
}

// ScopeTimeouts replace those of the pool, each by itself.
type ScopeTimeouts struct {
	// Connect is the longest a connection to a server may take to be made, with TLS.
	Connect *Duration `conf:"connect,min=1ms"`
	// Response is the longest from the request's end to the head of its response; off is no limit.
	Response *Duration `conf:"response,off,min=1ms"`
	// Idle is the longest silence of a server inside a response's content; off is no limit.
	Idle *Duration `conf:"idle,off,min=1ms"`
}

// Over returns t with what it leaves unset taken from the pool.
func (t ScopeTimeouts) Over(pool Timeouts) Timeouts {
	for _, s := range []struct {
		from *Duration
		to   *Duration
	}{{t.Connect, &pool.Connect}, {t.Response, &pool.Response}, {t.Idle, &pool.Idle}} {
		if s.from != nil {
			*s.to = *s.from
		}
	}
	return pool
}

// Forward says what the proxy does to messages on their way, beyond what it must (RFC 9110, section 7.6).
type Forward struct {
	// EarlyHints passes interim responses 103 on to HTTP/1.1 clients, too: common ones take it for the final response.
	EarlyHints bool `conf:"early_hints"`
	// Upgrade names the protocols that a connection may change to; off is none. Offers of requests with content are ignored.
	Upgrade []string `conf:"upgrade,one,off"`
	// Trace passes TRACE on instead of refusing it.
	Trace bool `conf:"trace"`
	// Hide names fields of origins' responses that are removed; off removes none.
	Hide []string `conf:"hide,one,off"`
	// MapBack rewrites Location and the domain and path of cookies, so that no origin's name or address shows.
	MapBack bool `conf:"map_back"`
}

// Defaults implements Defaulter.
func (f *Forward) Defaults() {
	*f = Forward{Upgrade: []string{"websocket"}, Hide: []string{"Server", "X-Powered-By"}, MapBack: true}
}

// ValidateConfig implements Validator.
func (f *Forward) ValidateConfig(d *Decoder, n *Node) {
	for _, key := range []string{"upgrade", "hide"} {
		for _, item := range n.Get(key).all() {
			if item.Kind == Scalar && !item.IsOff() && !IsToken(item.Value) {
				d.Errorf(item, "bad-name", "%s is not a name that HTTP has (RFC 9110, section 5.6.2)", describe(item))
			}
		}
	}
}

// IsToken reports whether s is a token (RFC 9110, section 5.6.2): what names of fields and methods are.
func IsToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '!' || c >= '#' && c <= '\'' || c == '*' || c == '+' || c == '-' || c == '.' || c >= '^' && c <= '`' || c == '|' || c == '~':
		default:
			return false
		}
	}
	return s != ""
}

// A Match says which requests a route takes: those for which any of its conditions holds. Its short forms are a path, and a list of paths and conditions.
type Match []Condition

// DecodeConfig implements NodeDecoder.
func (m *Match) DecodeConfig(d *Decoder, n *Node) {
	items := []*Node{n}
	if n.Kind == List {
		items = n.Items
	}
	if len(items) == 0 {
		d.Errorf(n, "no-value", "an empty list matches nothing")
		return
	}
	*m = make(Match, len(items))
	for i, item := range items {
		d.Decode(item, &(*m)[i])
	}
}

// ConfigForms implements Formed.
func (*Match) ConfigForms() []any { return []any{Condition{}, []Condition{}} }

// A Condition holds for a request if all of its keys do; a list means any of its items. Its short form is a path.
type Condition struct {
	Node *Node `conf:",node"`
	// Faulty says that something is wrong with it, which has been reported.
	Faulty bool

	// Host is a name, or "*.example.com".
	Host []string `conf:"host,one"`
	// Path is exact, or has stars: /static/* takes all that begins with /static/.
	Path []string `conf:"path,one"`
	// PathRegexp is an RE2 expression that is found in the path.
	PathRegexp []*regexp.Regexp `conf:"path_regexp,one"`
	// Method is a method; case counts, and GET does not include HEAD.
	Method []string `conf:"method,one"`
	// Header gives field names the values they may have; "*" is any value.
	Header map[string][]string `conf:"header,one"`
	// Query gives parameters the values they may have; "*" is any value.
	Query map[string][]string `conf:"query,one"`
	// ClientIP holds networks of client addresses.
	ClientIP []netip.Prefix `conf:"client_ip,one"`
}

// ConfigName implements Named.
func (*Condition) ConfigName() string { return "match" }

// DecodeConfig implements NodeDecoder.
func (c *Condition) DecodeConfig(d *Decoder, n *Node) {
	c.Node = n
	before := d.errors
	defer func() { c.Faulty = d.errors != before }()
	switch n.Kind {
	case Map:
		d.Fields(n, c)
		if len(n.Entries) == 0 && !n.gap {
			d.Errorf(n, "no-value", "an empty map matches everything; leave the route out, or write match: /*")
		}
	case Scalar:
		if d.OneLine(n) && checkPath(d, n) {
			c.Path = []string{n.Value}
		}
	default:
		d.wrong(n, "wrong-type", "a path such as /static/* or a map with host, path, method, header, query or client_ip", "")
	}
}

// ConfigForms implements Formed.
func (*Condition) ConfigForms() []any {
	return []any{Form{Text: "a path such as /static/*"}, Fields{Condition{}}}
}

// ValidateConfig implements Validator.
func (c *Condition) ValidateConfig(d *Decoder, n *Node) {
	for _, e := range n.Entries {
		checkNotEmpty(d, e)
	}
	for _, path := range n.Get("path").all() {
		if path.Kind == Scalar {
			checkPath(d, path)
		}
	}
	for _, method := range n.Get("method").all() {
		checkMethod(d, method)
	}
	for i, expression := range n.Get("path_regexp").all() {
		if expression.Kind == Scalar && expression.Value == "" && i < len(c.PathRegexp) {
			d.Errorf(expression, "bad-regexp", "an empty expression is found in every path")
		}
	}
	if header := n.Get("header"); header != nil {
		for _, e := range header.Entries {
			if !IsToken(e.Key.Value) {
				d.Errorf(e.Key, "bad-name", "%q is not a field name (RFC 9110, section 5.1)", e.Key.Value)
			}
		}
	}
}

// checkNotEmpty refuses a condition without a value: it would hold for every request.
func checkNotEmpty(d *Decoder, e Entry) {
	switch {
	case e.Value.Kind == List && len(e.Value.Items) == 0:
		d.Hintf(e.Value, "no-value", "leave the key out", "an empty list matches nothing")
	case e.Value.Kind == Map && len(e.Value.Entries) == 0 && !e.Value.gap:
		d.Hintf(e.Value, "no-value", "leave the key out", "an empty map matches everything")
	case e.Value.Kind == Map && (e.Key.Value == "header" || e.Key.Value == "query"):
		for _, inner := range e.Value.Entries {
			checkNotEmpty(d, inner)
		}
	}
}

// checkMethod refuses what is no method. GET and get are two methods (RFC 9110, section 9.1), of which nobody means the second.
func checkMethod(d *Decoder, n *Node) {
	upper := strings.ToUpper(n.Value)
	words := strings.FieldsFunc(n.Value, func(r rune) bool { return r == ' ' || r == ',' || r == '|' })
	switch {
	case n.Kind != Scalar:
	case !IsToken(n.Value) && len(words) > 1 && !n.Secret:
		d.Hintf(n, "bad-name", fmt.Sprintf("write [%s]", strings.Join(words, ", ")), "%s is not a method", describe(n))
	case !IsToken(n.Value):
		d.Errorf(n, "bad-name", "%s is not a method", describe(n))
	case upper != n.Value && !n.Secret:
		diag := at(n, Warning, "method-case", fmt.Sprintf("did you mean %q?", upper), fmt.Sprintf("case counts in methods: %q takes no request of a usual client", n.Value))
		d.Report(diag)
	}
}

// checkPath refuses a pattern that no path can match.
func checkPath(d *Decoder, n *Node) bool {
	if n.Value != "" && (n.Value[0] == '/' || n.Value[0] == '*') {
		return true
	}
	d.Hintf(n, "bad-path", pathHint(n), "a path begins with /")
	return false
}

// pathHint says which path, or which other condition, was likely meant.
func pathHint(n *Node) string {
	_, rest, isURL := strings.Cut(n.Value, "://")
	expression := strings.TrimLeft(n.Value, "~* ")
	switch {
	case n.Secret, n.IsOff():
		return ""
	case isURL && strings.Contains(rest, "/"):
		return fmt.Sprintf("did you mean %q?", rest[strings.Index(rest, "/"):])
	case strings.HasPrefix(expression, "^"):
		return fmt.Sprintf("write { path_regexp: %q }", expression)
	case strings.Contains(n.Value, " "):
		return ""
	}
	return fmt.Sprintf("did you mean %q?", "/"+n.Value)
}

// all returns the items of a list, or n alone, or nothing if n is nil.
func (n *Node) all() []*Node {
	switch {
	case n == nil:
		return nil
	case n.Kind == List:
		return n.Items
	}
	return []*Node{n}
}
