// Package respond answers requests with a fixed status, body and fields, without an origin: maintenance pages, robots.txt, probes.
//
// It answers in the request phase, where the way of a request would else go on to the pool. The sender writes the framing and leaves the content out
// for HEAD (RFC 9110, section 9.3.2). Error pages take its place only if it has no body.
package respond

import (
	"sluice/internal/config"
	"sluice/internal/exchange"
	"sluice/internal/filter"
	"sluice/internal/template"
)

// Name is the feature's config key.
const Name = "respond"

// textType is the content type of a body that has none of its own.
const textType = "text/plain; charset=utf-8"

// Config is what is answered instead of asking a server. Its short form is a status.
type Config struct {
	// Status is the status of the response, from 200 to 599.
	Status int `conf:"status"`
	// Body is the content; without one there is none.
	Body string `conf:"body,text"`
	// Headers are the fields of the response; values are templates. The content type is text/plain in UTF-8 unless it is set here.
	Headers template.ResponseLines `conf:"headers"`
}

// Defaults implements config.Defaulter.
func (c *Config) Defaults() { c.Status = 200 }

// DecodeConfig implements config.NodeDecoder.
func (c *Config) DecodeConfig(d *config.Decoder, n *config.Node) {
	if n.Kind == config.Map {
		d.Fields(n, c)
		return
	}
	d.Decode(n, &c.Status)
	c.ValidateConfig(d, n)
}

// ConfigForms implements config.Formed.
func (*Config) ConfigForms() []any { return []any{0, config.Fields{Of: Config{}}} }

// ValidateConfig implements config.Validator.
func (c *Config) ValidateConfig(d *config.Decoder, n *config.Node) {
	if status := n.Get("status"); status != nil {
		n = status
	}
	switch {
	case c.Status < 200 || c.Status > 599:
		d.Errorf(n, "out-of-range", "the status of a final response is from 200 to 599")
	case c.Body != "" && (c.Status == 204 || c.Status == 205 || c.Status == 304):
		d.Errorf(n, "no-content", "a response %d has no content (RFC 9110, section 6.4.1): leave the body out", c.Status)
	}
}

// responder is the filter.
type responder struct {
	status      int
	contentType string
	body        []byte
	lines       template.ResponseLines
}

// New returns the filter.
func New(c Config) (filter.Filter, error) {
	r := &responder{status: c.Status, body: []byte(c.Body), lines: c.Headers}
	if c.Body != "" {
		r.contentType = textType
	}
	return r, nil
}

// Name implements filter.Filter.
func (r *responder) Name() string { return Name }

// Request answers.
func (r *responder) Request(x *exchange.Exchange) exchange.Verdict {
	x.Respond(r.status, r.contentType, r.body)
	for i := range r.lines {
		r.lines[i].Set(&x.Response.Fields, x)
	}
	return exchange.Answered
}
