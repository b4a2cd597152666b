// Package errorpages gives responses with an error status pages of the site's own: a file, a text, or a redirect to a page elsewhere.
//
// It acts in the response phase, on what the proxy itself answers (refusals, failures of origins) and, if intercept is set, on what origins answer.
// The status stays, and so do the fields that belong to it, such as Retry-After and WWW-Authenticate; those that describe the replaced content go
// (RFC 9110, section 8). What respond answers with a body is the page already. Files are read when the snapshot is built.
package errorpages

import (
	"fmt"
	"path/filepath"

	"sluice/internal/config"
	"sluice/internal/exchange"
	"sluice/internal/filter"
	"sluice/internal/template"
)

// Name is the feature's config key.
const Name = "error_pages"

// pageBytesMax is the largest page, in bytes. Pages are kept in memory.
const pageBytesMax = 1 << 20

const (
	htmlType = "text/html; charset=utf-8"
	// redirectStatus is See Other (RFC 9110, section 15.4.4): the page is got with GET, whatever failed.
	redirectStatus = 303
)

// Config is pages by status: 404, or 4xx for all statuses of a class that have no page of their own.
type Config struct {
	// Intercept takes the place of origins' error responses, too.
	Intercept bool
	// Pages has "404" or "4xx" as keys.
	Pages map[string]Page
}

// Page is one of file, body and redirect. Its short form is the name of the file.
type Page struct {
	// File is the name of the file whose content is sent, relative to this one.
	File *config.Node `conf:"file"`
	// Body is the text that is sent.
	Body string `conf:"body,text"`
	// ContentType is the content type; by default that of the file's ending, else HTML in UTF-8.
	ContentType string `conf:"content_type"`
	// Redirect is where the client is sent with status 303.
	Redirect *config.Node `conf:"redirect"`

	location *template.Template
}

// ConfigName implements config.Named.
func (*Page) ConfigName() string { return "an error page" }

// DecodeConfig implements config.NodeDecoder.
func (c *Config) DecodeConfig(d *config.Decoder, n *config.Node) {
	if n.Kind != config.Map {
		d.Wrong(n, "a map of statuses (404, 5xx) and pages")
		return
	}
	c.Pages = map[string]Page{}
	for _, e := range n.Entries {
		switch {
		case e.Key.Value == "intercept":
			d.DecodeEntry(e, &c.Intercept)
		case !isStatus(e.Key.Value):
			d.Errorf(e.Key, "bad-status", `%q is neither an error status (400 to 599), nor 4xx or 5xx, nor "intercept"`, e.Key.Value)
		case !e.Value.IsOff():
			var p Page
			d.DecodeEntry(e, &p)
			c.Pages[e.Key.Value] = p
		}
	}
}

// ConfigForms implements config.Formed.
func (*Config) ConfigForms() []any { return []any{config.Fields{Of: longForm{}}} }

// longForm is pages by status, 404, or 4xx for all statuses of a class that have no page of their own.
type longForm struct {
	// Intercept takes the place of origins' error responses, too.
	Intercept bool `conf:"intercept"`
}

// ConfigOthers says what stands under a status.
func (*longForm) ConfigOthers() any { return Page{} }

func isStatus(key string) bool {
	if key == "4xx" || key == "5xx" {
		return true
	}
	return len(key) == 3 && (key[0] == '4' || key[0] == '5') && isDigit(key[1]) && isDigit(key[2])
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// DecodeConfig implements config.NodeDecoder.
func (p *Page) DecodeConfig(d *config.Decoder, n *config.Node) {
	if n.Kind == config.Map {
		d.Fields(n, p)
		return
	}
	p.File = n
	p.ValidateConfig(d, n)
}

// ConfigForms implements config.Formed.
func (*Page) ConfigForms() []any {
	return []any{config.Form{Text: "the name of a file"}, config.Fields{Of: Page{}}}
}

// ValidateConfig implements config.Validator.
func (p *Page) ValidateConfig(d *config.Decoder, n *config.Node) {
	set := 0
	body := n.Get("body")
	for _, isSet := range []bool{p.File != nil, p.Body != "" || body != nil && body.Kind != config.Scalar, p.Redirect != nil} {
		if isSet {
			set++
		}
	}
	switch {
	case set != 1:
		d.Errorf(n, "missing", "a page is one of file, body and redirect")
	case p.File != nil && (p.File.Kind != config.Scalar || p.File.Value == ""):
		d.Errorf(p.File, "wrong-type", "a page's file is the name of a file")
	case p.Redirect != nil:
		p.location = template.Decode(d, p.Redirect, template.Location, 0)
	}
}

// ReadFiles fills in the content of files. read gets the node with the name, which is relative to the file of the node's position; what can't be read is
// reported there.
func (c *Config) ReadFiles(d *config.Decoder, read func(name *config.Node) ([]byte, error)) {
	for key, p := range c.Pages {
		if p.File == nil {
			continue
		}
		content, err := read(p.File)
		switch {
		case err != nil:
			d.Errorf(p.File, "cannot-read", "%v", err)
		case len(content) > pageBytesMax:
			d.Errorf(p.File, "too-large", "a page has at most %d bytes", pageBytesMax)
		default:
			p.Body = string(content)
			c.Pages[key] = p
		}
	}
}

// contentType returns the content type of p.
func (p *Page) contentType() string {
	if p.ContentType != "" || p.File == nil {
		return or(p.ContentType, htmlType)
	}
	switch filepath.Ext(p.File.Value) {
	case ".json":
		return "application/json"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".xml":
		return "application/xml"
	case ".svg":
		return "image/svg+xml"
	}
	return htmlType
}

func or(text, otherwise string) string {
	if text != "" {
		return text
	}
	return otherwise
}

// pages is the filter.
type pages struct {
	intercept bool
	status    map[int]*page
	class     [6]*page // by the first digit
}

// page is a Page that is ready to be sent.
type page struct {
	contentType, body []byte
	location          *template.Template // nil if it is no redirect
}

// New returns the filter. ReadFiles has been called.
func New(c Config) (filter.Filter, error) {
	p := &pages{intercept: c.Intercept, status: map[int]*page{}}
	for key, from := range c.Pages {
		if !isStatus(key) {
			return nil, fmt.Errorf("error_pages: %q is not a status", key)
		}
		made := &page{[]byte(from.contentType()), []byte(from.Body), from.location}
		if first := int(key[0] - '0'); key[1] == 'x' {
			p.class[first] = made
		} else {
			p.status[100*first+10*int(key[1]-'0')+int(key[2]-'0')] = made
		}
	}
	return p, nil
}

// Name implements filter.Filter.
func (p *pages) Name() string { return Name }

// Response puts a page in the place of the response's content, if there is one for it.
func (p *pages) Response(x *exchange.Exchange) {
	r := &x.Response
	if r.Status < 400 || r.Status > 599 || !p.takes(x) {
		return
	}
	to := p.status[r.Status]
	if to == nil {
		to = p.class[r.Status/100]
	}
	if to != nil {
		to.fill(x)
	}
}

// takes reports whether the response is one that a page may replace.
func (p *pages) takes(x *exchange.Exchange) bool {
	if x.Response.Origin {
		return p.intercept
	}
	return x.Err != nil || x.Response.Content == nil || x.Response.Content.Length() == 0
}

// fill makes p the response's content.
func (p *page) fill(x *exchange.Exchange) {
	r := &x.Response
	r.Discard()
	r.Trailers.Reset()
	if p.location != nil {
		r.Reset()
		r.Status = redirectStatus
		r.Fields.Add(exchange.FieldLocation, p.location.Value(x))
		return
	}
	r.Fields.DelFunc(describesContent)
	r.Fields.Add(exchange.FieldContentType, p.contentType)
	if len(p.body) > 0 {
		r.Content = x.Bytes(p.body)
	}
}

// describesContent reports whether a field is about the content that was replaced.
func describesContent(l *exchange.Field) bool {
	switch l.ID {
	case exchange.FieldContentType, exchange.FieldContentEncoding, exchange.FieldContentLanguage, exchange.FieldContentLength,
		exchange.FieldContentLocation, exchange.FieldContentRange, exchange.FieldContentDisposition, exchange.FieldETag, exchange.FieldLastModified,
		exchange.FieldAcceptRanges, exchange.FieldTrailer:
		return true
	case exchange.FieldOther:
		for _, name := range [...]string{"Content-Digest", "Repr-Digest", "Digest", "Content-MD5"} {
			if exchange.EqualFold(l.Name, name) {
				return true
			}
		}
	}
	return false
}
