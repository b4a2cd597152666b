// Package serve is the way of a request: from a codec's exchange to its response, in one function whose steps are single lines.
//
// What each step does is in the package it names: route finds the route, filter runs its features, forward gets the origin's response, the codec's Sender
// sends it. The only place where an error becomes a response is refuse.
package serve

import (
	"errors"

	"sluice/internal/exchange"
	"sluice/internal/forward"
	"sluice/internal/route"
	"sluice/internal/snapshot"
)

// A Server carries exchanges through the snapshot in force. It is the Way of all codecs.
type Server struct {
	Current *snapshot.Current
}

// Exchange is the way of a request. It implements downstream/h1.Way. BenchmarkExchange.
func (s *Server) Exchange(x *exchange.Exchange) {
	snap := s.Current.Load()      // one generation for the whole exchange
	snap.Trust.Receive(x)         // what may be believed of the request
	route := snap.Routes.Match(x) // never nil: the fallback route refuses
	defer route.Chain.Finish(x)   // also what was dropped is logged and counted
	x.Notes.Site, x.Notes.Route = route.Site, route.Name

	reached := 0
	verdict, err := admit(x, route)
	if err != nil {
		refuse(x, err)
		verdict = exchange.Answered // whatever came with the error
	} else if verdict == exchange.Continue {
		reached, verdict = route.Chain.Request(x)
	}
	switch verdict {
	case exchange.Continue:
		if err := route.Forward.Do(x); err != nil {
			refuse(x, err)
		}
	case exchange.Drop:
		x.Notes.Aborted = true
		x.Sender().Abort(nil)
		return
	}
	route.Chain.Response(x, reached)
	send(x, snap)
}

// Refuse answers a request that is not valid. No filter sees it, since it would be dangerous to trust anything of it; it is logged and counted.
func (s *Server) Refuse(x *exchange.Exchange) {
	snap := s.Current.Load()
	defer snap.Refused.Finish(x)
	refuse(x, x.Err)
	send(x, snap)
}

// admit decides whether the request may go on at all, before any filter. TRACE would show a client what proxies add to its request, and CONNECT would make us an
// open proxy (RFC 9110, sections 9.3.6 and 9.3.8).
func admit(x *exchange.Exchange, r *route.Route) (exchange.Verdict, error) {
	if m := x.Request.Method; m == "TRACE" && !r.Trace || m == "CONNECT" {
		return exchange.Answered, &exchange.Error{Source: exchange.Downstream, Kind: exchange.KindHTTPRequestDenied, Status: 405, Op: "method " + m}
	}
	return r.Forward.Admit(x)
}

// send sends the response, whoever made it.
func send(x *exchange.Exchange, snap *snapshot.Snapshot) {
	defer x.Response.Discard()
	var err error
	if x.Response.Tunnel != nil {
		err = forward.Tunnel(x)
	} else {
		if !x.Response.Fields.Has(exchange.FieldDate) {
			x.Response.Fields.Add(exchange.FieldDate, snap.Dates.Text(x.Driver.Time()))
		}
		err = x.Sender().SendFinal(&x.Response)
	}
	if err == nil {
		return
	}
	var e *exchange.Error
	if !errors.As(err, &e) {
		e = &exchange.Error{Source: exchange.Internal, Kind: exchange.KindProxyInternalError, Op: "send response", Err: err}
	}
	x.Err, x.Notes.Aborted = e, true
	x.Sender().Abort(e)
}
