package serve

import (
	"errors"
	"strconv"

	"sluice/internal/exchange"
	h1 "sluice/internal/wire/h1"
)

// refuse makes err the response. It is the only place where that happens, and it never tells a client more than the status: an error can name an origin.
func refuse(x *exchange.Exchange, err error) {
	var e *exchange.Error
	if !errors.As(err, &e) {
		e = &exchange.Error{Source: exchange.Internal, Kind: exchange.KindProxyInternalError, Op: "answer", Err: err}
	}
	x.Response.Discard()
	x.Err = e
	x.Deadline = 0 // a client that has waited too long shall be told so; the sender bounds how long that takes
	status := statusOf(e)
	page := x.Scratch.Tail(pageBytes)
	page = strconv.AppendInt(page, int64(status), 10)
	page = append(page, ' ')
	page = append(page, h1.Phrase(status)...)
	page = append(page, '\n')
	x.Respond(status, "text/plain; charset=utf-8", x.Scratch.Commit(page))
	if status == 405 {
		x.Response.Fields.Add(exchange.FieldAllow, allowed)
	}
}

// pageBytes is room for a status and its phrase.
const pageBytes = 64

// allowed goes with 405, which must say what is (RFC 9110, section 15.5.6): what nearly every resource knows.
var allowed = []byte("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")

// statusOf returns the status for an error: the one it names, or what RFC 9209, section 2.3, recommends for its kind.
func statusOf(e *exchange.Error) int {
	if e.Status != 0 {
		return e.Status
	}
	switch e.Kind {
	case exchange.KindConnectionTimeout, exchange.KindConnectionReadTimeout, exchange.KindConnectionWriteTimeout, exchange.KindDNSTimeout,
		exchange.KindHTTPResponseTimeout:
		return 504
	case exchange.KindDestinationUnavailable, exchange.KindConnectionLimit:
		return 503
	case exchange.KindDestinationNotFound, exchange.KindProxyInternalError, exchange.KindProxyConfigurationError:
		return 500
	case exchange.KindHTTPRequestError:
		return 400
	case exchange.KindHTTPRequestDenied:
		return 403
	}
	if e.Source == exchange.Downstream {
		return 400
	}
	return 502
}
