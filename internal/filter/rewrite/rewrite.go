// Package rewrite changes the path and the query of requests before they are forwarded.
//
// The path stays in normal form: what a template makes is normalised again, and a request whose new path can't be is refused with 400 (a template that
// puts pieces of a path together could else make ".." of them). Prefixes are whole segments, and doubled slashes in a path count as one, so that no
// spelling of a path escapes a rule; the slashes that are left are forwarded as they came. "OPTIONS *" is not changed.
package rewrite

import (
	"bytes"
	"errors"
	"strings"

	"sluice/internal/config"
	"sluice/internal/exchange"
	"sluice/internal/filter"
	"sluice/internal/template"
	"sluice/internal/wire/target"
)

// Name is the feature's config key.
const Name = "rewrite"

// Config is what is done to the request target, in this order. Its short form is the new path.
type Config struct {
	// To is the new path. A "?" in it begins the new query; without one the query stays. Nil leaves the path.
	To *template.Template
	// PathRegexp is looked for in the path; its groups are {1}, {2}, … in To. Where it is not found To is not used.
	PathRegexp *template.Regexp
	// Prefixes are replaced: the first that the path begins with.
	Prefixes []Prefix
	// AddPrefix is put before the path. It begins with a slash and ends without.
	AddPrefix string
	// SetQuery are parameters that get these values; they replace all of the same name, and stand at the end.
	SetQuery []Param
	// RemoveQuery are names of parameters that are dropped.
	RemoveQuery []string
}

// Prefix is the beginning of a path, up to the end of a segment: "/api" takes "/api" and "/api/x". Both begin with a slash and end without; "" is the root.
type Prefix struct {
	From, To string
}

// Param is a parameter of the query.
type Param struct {
	Name  string
	Value *template.Template // of kind template.Param
}

// longForm is what is done to the request target, in this order.
type longForm struct {
	// To is the new path. A "?" in it begins the new query; without one the query stays.
	To *config.Node `conf:"to"`
	// PathRegexp is looked for in the path; its groups are {1}, {2}, … in to. Where it is not found, to is not used.
	PathRegexp *template.Regexp `conf:"path_regexp"`
	// StripPrefix is taken off the path if that begins with it.
	StripPrefix *config.Node `conf:"strip_prefix"`
	// ReplacePrefix has prefixes and what takes their place: the first that the path begins with.
	ReplacePrefix []config.Entry `conf:"replace_prefix"`
	// AddPrefix is put before the path.
	AddPrefix *config.Node `conf:"add_prefix"`
	// Query changes parameters of the query.
	Query queryForm `conf:"query,off"`
}

// queryForm is what is done to the query.
type queryForm struct {
	// Set gives parameters these values; they replace all of the same name, and stand at the end.
	Set []config.Entry `conf:"set"`
	// Remove names parameters that are dropped.
	Remove []string `conf:"remove,one,off"`
}

// ConfigName implements config.Named.
func (*longForm) ConfigName() string { return Name }

// ValidateConfig implements config.Validator.
func (l *longForm) ValidateConfig(d *config.Decoder, n *config.Node) {
	if l.PathRegexp != nil && isOff(l.To) {
		d.Errorf(n.Get("path_regexp"), "missing", `path_regexp needs "to": the path that takes its place`)
	}
}

func isOff(n *config.Node) bool { return n == nil || n.IsOff() }

// ConfigForms implements config.Formed.
func (*Config) ConfigForms() []any {
	return []any{config.Form{Text: "the new path"}, config.Fields{Of: longForm{}}}
}

// DecodeConfig implements config.NodeDecoder.
func (c *Config) DecodeConfig(d *config.Decoder, n *config.Node) {
	long := longForm{To: n}
	if n.Kind == config.Map {
		long.To = nil
		d.Decode(n, &long)
	}
	c.PathRegexp = long.PathRegexp
	if !isOff(long.To) {
		c.To = template.Decode(d, long.To, template.Path, c.PathRegexp.Captures())
	}
	c.decodePrefixes(d, &long)
	for _, e := range long.Query.Set {
		if e.Value.IsOff() {
			continue
		}
		if value := template.Decode(d, e.Value, template.Param, 0); value != nil {
			c.SetQuery = append(c.SetQuery, Param{e.Key.Value, value})
		}
	}
	c.RemoveQuery = long.Query.Remove
}

func (c *Config) decodePrefixes(d *config.Decoder, long *longForm) {
	if !isOff(long.StripPrefix) {
		c.Prefixes = append(c.Prefixes, Prefix{From: prefixOf(d, long.StripPrefix)})
	}
	for _, e := range long.ReplacePrefix {
		if !e.Value.IsOff() {
			c.Prefixes = append(c.Prefixes, Prefix{prefixOf(d, e.Key), prefixOf(d, e.Value)})
		}
	}
	if !isOff(long.AddPrefix) {
		c.AddPrefix = prefixOf(d, long.AddPrefix)
	}
}

// prefixOf reads a prefix in normal form, without a slash at the end.
func prefixOf(d *config.Decoder, n *config.Node) string {
	if n.Kind != config.Scalar {
		d.Wrong(n, "a path such as /api")
		return ""
	}
	prefix, err := ParsePrefix(n.Value)
	if err != nil {
		d.Errorf(n, "bad-path", "%v", err)
	}
	return prefix
}

// ParsePrefix brings a prefix to the form that Config wants.
func ParsePrefix(text string) (string, error) {
	if strings.ContainsAny(text, "?#*") {
		return "", errors.New("a prefix is a path without query and stars; it takes everything below")
	}
	normal, err := target.Normalize(nil, []byte(text))
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(target.MergeSlashes(nil, normal)), "/"), nil
}

// rewriter is the filter.
type rewriter Config

// New returns the filter.
func New(c Config) (filter.Filter, error) { return (*rewriter)(&c), nil }

// Name implements filter.Filter.
func (r *rewriter) Name() string { return Name }

// Request changes path and query.
func (r *rewriter) Request(x *exchange.Exchange) exchange.Verdict {
	q := &x.Request
	if len(q.Path) == 0 || q.Path[0] != '/' {
		return exchange.Continue
	}
	path, err := r.template(x)
	if err != nil {
		x.Respond(400, "", nil)
		x.Err = &exchange.Error{Source: exchange.Downstream, Kind: exchange.KindHTTPRequestError, Status: 400, Op: "rewrite path", Err: err}
		return exchange.Answered
	}
	path = r.prefix(path, x)
	if r.AddPrefix != "" {
		path = join(x, r.AddPrefix, path)
	}
	if !bytes.Equal(path, q.Path) {
		q.Path = path
		q.MatchPath = target.MergeSlashes(x.Scratch.Alloc(len(path)), path)
	}
	r.query(x)
	return exchange.Continue
}

// template returns the path that To makes, in normal form, and sets the query if To has one.
func (r *rewriter) template(x *exchange.Exchange) ([]byte, error) {
	q := &x.Request
	if r.To == nil {
		return q.Path, nil
	}
	var captures template.Captures
	if r.PathRegexp != nil {
		var found bool
		if captures, found = r.PathRegexp.Find(q.MatchPath); !found {
			return q.Path, nil
		}
	}
	path, query, hasQuery := bytes.Cut(r.To.ValueOf(x, captures), questionMark)
	path, err := target.Normalize(x.Scratch.Alloc(len(path)), path)
	if err == nil && hasQuery {
		q.Query, q.HasQuery = query, true
	}
	return path, err
}

var questionMark = []byte{'?'}

// prefix replaces the first of the prefixes that path begins with.
func (r *rewriter) prefix(path []byte, x *exchange.Exchange) []byte {
	for i := range r.Prefixes {
		p := &r.Prefixes[i]
		rest, found := cutPrefix(path, p.From)
		switch {
		case !found:
			continue
		case p.To != "":
			return join(x, p.To, rest)
		case len(rest) == 0:
			return root
		}
		return rest
	}
	return path
}

var root = []byte{'/'}

// cutPrefix returns what follows prefix in path, which is empty or begins with a slash. A run of slashes in path counts as one.
func cutPrefix(path []byte, prefix string) (rest []byte, found bool) {
	rest = path
	for i := range len(prefix) {
		if len(rest) == 0 || rest[0] != prefix[i] {
			return nil, false
		}
		if rest = rest[1:]; prefix[i] == '/' {
			for len(rest) > 0 && rest[0] == '/' {
				rest = rest[1:]
			}
		}
	}
	return rest, len(rest) == 0 || rest[0] == '/'
}

func join(x *exchange.Exchange, a string, b []byte) []byte {
	return append(append(x.Scratch.Alloc(len(a) + len(b))[:0], a...), b...)
}
