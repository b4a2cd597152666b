// Package headers removes, sets and adds fields of requests and of responses, with values taken from the exchange.
//
// Requests are changed before they are forwarded, responses of origins and of the proxy itself before they are sent. In each phase names are first
// removed, then set, then added, each in the order of the configuration. Fields of framing and of the connection can't be named: Sluice writes those
// itself (RFC 9110, section 7.6.1).
package headers

import (
	"slices"
	"strings"

	"sluice/internal/config"
	"sluice/internal/exchange"
	"sluice/internal/filter"
	"sluice/internal/template"
)

// Name is the feature's config key.
const Name = "headers"

// Config is what is done to requests and to responses.
type Config struct {
	// Request is done to requests, before a server gets them.
	Request RequestEdits `conf:"request,off"`
	// Response is done to all responses, also those of the proxy itself.
	Response ResponseEdits `conf:"response,off"`
}

// RequestEdits changes the fields of requests.
type RequestEdits struct {
	// Set makes the values the only lines with that name.
	Set template.RequestLines `conf:"set"`
	// Add adds lines.
	Add template.RequestLines `conf:"add"`
	// Remove holds names; a "*" at the end takes all that begin so.
	Remove []string `conf:"remove,one,off"`
}

// Names returns the names that are set or removed, those with a "*" at the end as they stand: fields that a client must not be able to say in another way.
func (e *RequestEdits) Names() []string {
	names := slices.Clone(e.Remove)
	for i := range e.Set {
		names = append(names, string(e.Set[i].Name))
	}
	return names
}

// ResponseEdits changes the fields of responses.
type ResponseEdits struct {
	// Set makes the values the only lines with that name.
	Set template.ResponseLines `conf:"set"`
	// Add adds lines.
	Add template.ResponseLines `conf:"add"`
	// Remove holds names; a "*" at the end takes all that begin so.
	Remove []string `conf:"remove,one,off"`
}

// ConfigHint implements config.Hinter.
func (*Config) ConfigHint(key string) string {
	if !isFieldLike(key) {
		return ""
	}
	return "fields stand below: response: { set: { " + key + ": … } }"
}

// ConfigHint implements config.Hinter.
func (*RequestEdits) ConfigHint(key string) string { return editsHint(key) }

// ConfigHint implements config.Hinter.
func (*ResponseEdits) ConfigHint(key string) string { return editsHint(key) }

func editsHint(key string) string {
	if !isFieldLike(key) {
		return ""
	}
	return "fields stand below: set: { " + key + ": … }"
}

// isFieldLike reports whether key is the name of a field rather than a misspelt setting: it has a capital or a hyphen.
func isFieldLike(key string) bool {
	return config.IsToken(key) && strings.ContainsAny(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-")
}

// ValidateConfig implements config.Validator.
func (e *RequestEdits) ValidateConfig(d *config.Decoder, n *config.Node) {
	checkRemove(d, n.Get("remove"), template.RequestField)
}

// ValidateConfig implements config.Validator.
func (e *ResponseEdits) ValidateConfig(d *config.Decoder, n *config.Node) {
	checkRemove(d, n.Get("remove"), template.ResponseField)
}

func checkRemove(d *config.Decoder, n *config.Node, kind template.Kind) {
	if n == nil || n.IsOff() {
		return
	}
	names := n.Items
	if n.Kind != config.List {
		names = []*config.Node{n}
	}
	for _, name := range names {
		prefix, open := strings.CutSuffix(name.Value, "*")
		if open && strings.Contains(prefix, "*") {
			d.Errorf(name, "bad-field", `a "*" stands at the end only`)
		} else if err := template.CheckName(kind, prefix); err != nil {
			d.Errorf(name, "bad-field", "%v", err)
		}
	}
}

// requestEditor is the filter that edits the fields of requests.
type requestEditor struct{ edits }

// responseEditor is the filter that edits the fields of responses.
type responseEditor struct{ edits }

// edits is what is done to one section of fields.
type edits struct {
	set, add []template.Line
	remove   [][]byte // names
	prefixes []string // beginnings of names
}

// New returns two filters, of which either may be nil. They are two so that responses are edited also where the request did not get as far as the first: refusals,
// redirects and error pages need security fields, too.
func New(c Config) (requests, responses filter.Filter, err error) {
	if r := c.Request; len(r.Set)+len(r.Add)+len(r.Remove) > 0 {
		requests = &requestEditor{newEdits(r.Set, r.Add, r.Remove)}
	}
	if r := c.Response; len(r.Set)+len(r.Add)+len(r.Remove) > 0 {
		responses = &responseEditor{newEdits(r.Set, r.Add, r.Remove)}
	}
	return requests, responses, nil
}

func newEdits(set, add []template.Line, remove []string) edits {
	e := edits{set: set, add: add}
	for _, name := range remove {
		if prefix, open := strings.CutSuffix(name, "*"); open {
			e.prefixes = append(e.prefixes, prefix)
		} else {
			e.remove = append(e.remove, []byte(name))
		}
	}
	return e
}

// Name implements filter.Filter.
func (e *requestEditor) Name() string { return Name }

// Request changes the request's fields.
func (e *requestEditor) Request(x *exchange.Exchange) exchange.Verdict {
	e.apply(&x.Request.Fields, x)
	return exchange.Continue
}

// Name implements filter.Filter.
func (e *responseEditor) Name() string { return Name }

// Response changes the response's fields.
func (e *responseEditor) Response(x *exchange.Exchange) { e.apply(&x.Response.Fields, x) }

func (e *edits) apply(f *exchange.Fields, x *exchange.Exchange) {
	for _, name := range e.remove {
		f.DelNamed(name)
	}
	if len(e.prefixes) > 0 {
		f.DelFunc(e.hasPrefix)
	}
	for i := range e.set {
		e.set[i].Set(f, x)
	}
	for i := range e.add {
		e.add[i].Add(f, x)
	}
}

// hasPrefix leaves alone what can't be named: "C*" does not mean Connection.
func (e *edits) hasPrefix(l *exchange.Field) bool {
	if template.IsFraming(l.ID) || template.IsHop(l.ID) {
		return false
	}
	return slices.ContainsFunc(e.prefixes, func(prefix string) bool {
		return len(l.Name) >= len(prefix) && exchange.EqualFold(l.Name[:len(prefix)], prefix)
	})
}
