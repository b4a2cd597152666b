package forward

import (
	"net/netip"
	"sync/atomic"
	"time"

	"sluice/internal/exchange"
)

// A Hop is the origin that answered: what we spoke to, and so what must not show.
type Hop struct {
	Scheme  string     // "http" or "https": how we spoke to it
	Host    []byte     // the Host that it got, with port if there was one
	Name    []byte     // the endpoint's host as the config names it, without port; empty for a Unix socket
	Port    uint16     // the endpoint's port; 0 for a Unix socket
	Address netip.Addr // the address that was connected to; invalid for a Unix socket
}

// responseDropped are the known fields of responses that end here: hop-by-hop ones (RFC 9110, section 7.6.1), challenges that are meant for us as the origin's
// client (section 11.7.1), and Alt-Svc: it would lead clients past us to the origin (RFC 7838). Content-Length stays, since a response to HEAD and a 304
// tell it without content; the codec writes its own where there is content.
var responseDropped = setOf(
	exchange.FieldConnection, exchange.FieldKeepAlive, exchange.FieldProxyConnection, exchange.FieldTransferEncoding, exchange.FieldTE, exchange.FieldUpgrade,
	exchange.FieldProxyAuthenticate, exchange.FieldProxyAuthenticationInfo, exchange.FieldProxyAuthorization, exchange.FieldAltSvc,
)

// mapped are the fields that MapBack looks into.
var mapped = setOf(exchange.FieldLocation, exchange.FieldContentLocation, exchange.FieldRefresh, exchange.FieldLink, exchange.FieldSetCookie)

// ResponseFields makes of an origin's final response what the client may see: fields for this hop and what tells about the origin are dropped, its names are
// mapped back, and Date is supplied if it is missing (RFC 9110, section 6.6.1). It is called before the filters' response phases. BenchmarkResponseFields.
func (r *Rules) ResponseFields(x *exchange.Exchange, hop *Hop) {
	f := &x.Response.Fields
	r.InterimFields(x, f, hop)
	if !f.Has(exchange.FieldDate) {
		f.Add(exchange.FieldDate, r.settings.Dates.Text(x.Driver.Time()))
	}
}

// InterimFields is ResponseFields for f, the fields of an interim response (RFC 9110, section 15.2). They need no Date.
func (r *Rules) InterimFields(x *exchange.Exchange, f *exchange.Fields, hop *Hop) {
	x.Response.HopByHop = dropNamed(&x.Scratch, f) // that of the final response comes last
	drop := r.responseDropped
	found := false
	f.DelFunc(func(l *exchange.Field) bool {
		found = found || mapped.has(l.ID)
		return drop.has(l.ID) || l.ID == exchange.FieldOther && r.hides(l.Name)
	})
	if found && r.settings.MapBack {
		m := mapback{r, x, hop}
		m.fields(f)
	}
	if r.settings.ResponseVia && r.settings.Via != "" {
		f.Add(exchange.FieldVia, r.via[0])
	}
}

// hides reports whether the settings drop a field of that name, which is not a known one.
func (r *Rules) hides(name []byte) bool {
	for _, hidden := range r.hidden {
		if exchange.EqualFold(name, hidden) {
			return true
		}
	}
	return false
}

// dateFormat is IMF-fixdate for time.Format; the time must be in UTC (RFC 9110, section 5.6.7).
const dateFormat = "Mon, 02 Jan 2006 15:04:05 GMT"

// Dates makes the text of Date (RFC 9110, section 5.6.7), once for each second. The zero value is ready; all loops may use one at once.
type Dates struct {
	last atomic.Pointer[dateText]
}

// dateText is an instant as text. It never changes.
type dateText struct {
	second int64 // Unix time
	text   [len(dateFormat)]byte
}

// Text returns now as an HTTP date. It may be kept, and must not be written to.
func (d *Dates) Text(now time.Time) []byte {
	second := now.Unix()
	t := d.last.Load()
	if t == nil || t.second != second {
		t = &dateText{second: second}
		now.UTC().AppendFormat(t.text[:0], dateFormat)
		d.last.Store(t)
	}
	return t.text[:]
}
