// Package redirect sends clients to another URI (RFC 9110, section 15.4), made from a template.
//
// It answers in the request phase. The default status is 307: the method and the content are kept, and a mistake is not remembered by browsers for ever,
// as it would be with 308. The template's rules (package template, kind Location) see to it that no client can choose the host it is sent to.
package redirect

import (
	"fmt"
	"slices"

	"sluice/internal/config"
	"sluice/internal/exchange"
	"sluice/internal/filter"
	"sluice/internal/template"
)

// Name is the feature's config key.
const Name = "redirect"

// defaultStatus is Temporary Redirect (RFC 9110, section 15.4.8).
const defaultStatus = 307

// Config is where clients are sent. Its short form is the URI alone.
type Config struct {
	// To is the URI: "https://{host}{uri}".
	To *template.Template
	// Status is 301, 302, 303, 307 (the default) or 308. 307 and 308 keep the method.
	Status int
	// PathRegexp is looked for in the path; its groups are {1}, {2}, … in To. Where it is not found there is no redirect. Nil means all paths.
	PathRegexp *template.Regexp
}

// longForm is where clients are sent.
type longForm struct {
	// To is the URI: "https://{host}{uri}".
	To *config.Node `conf:"to,required"`
	// Status is 301, 302, 303, 307 or 308. 307 and 308 keep the method.
	Status int `conf:"status"`
	// PathRegexp is looked for in the path; its groups are {1}, {2}, … in to. Where it is not found there is no redirect.
	PathRegexp *template.Regexp `conf:"path_regexp"`
}

// ConfigName implements config.Named.
func (*longForm) ConfigName() string { return Name }

// Defaults implements config.Defaulter.
func (c *Config) Defaults() { c.Status = defaultStatus }

// ConfigForms implements config.Formed.
func (*Config) ConfigForms() []any {
	return []any{config.Form{Text: "the URI"}, config.Fields{Of: longForm{Status: defaultStatus}}}
}

// DecodeConfig implements config.NodeDecoder.
func (c *Config) DecodeConfig(d *config.Decoder, n *config.Node) {
	long := longForm{To: n, Status: defaultStatus}
	if n.Kind == config.Map {
		long.To = nil
		d.Decode(n, &long)
	}
	c.Status, c.PathRegexp = long.Status, long.PathRegexp
	if long.To != nil {
		c.To = template.Decode(d, long.To, template.Location, c.PathRegexp.Captures())
	}
	if !isRedirect(c.Status) {
		d.Errorf(n.Get("status"), "out-of-range", "the status of a redirect is 301, 302, 303, 307 or 308")
	}
}

func isRedirect(status int) bool { return slices.Contains([]int{301, 302, 303, 307, 308}, status) }

// redirector is the filter.
type redirector Config

// New returns the filter.
func New(c Config) (filter.Filter, error) {
	if c.To == nil || !isRedirect(c.Status) {
		return nil, fmt.Errorf("redirect: no target, or status %d", c.Status)
	}
	return (*redirector)(&c), nil
}

// Name implements filter.Filter.
func (r *redirector) Name() string { return Name }

// Request answers. The path is matched as routes match it.
func (r *redirector) Request(x *exchange.Exchange) exchange.Verdict {
	var captures template.Captures
	if r.PathRegexp != nil {
		var found bool
		if captures, found = r.PathRegexp.Find(x.Request.MatchPath); !found {
			return exchange.Continue
		}
	}
	to := r.To.ValueOf(x, captures)
	x.Respond(r.Status, "", nil)
	x.Response.Fields.Add(exchange.FieldLocation, to)
	return exchange.Answered
}
