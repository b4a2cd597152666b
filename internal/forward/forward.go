package forward

import (
	"errors"
	"net/netip"
	"time"

	"sluice/internal/exchange"
	"sluice/internal/loop"
	"sluice/internal/upstream"
	"sluice/internal/upstream/balance"
	"sluice/internal/upstream/client"
)

// A Forwarder carries the exchanges of a route to a pool. It never changes.
type Forwarder struct {
	Pool  *upstream.Pool
	Rules *Rules
	// Content bounds the content of requests.
	Content exchange.ContentLimits
	// Timeouts bound how long an endpoint may take, ExchangeTimeout the whole exchange; 0 is no bound.
	Timeouts        client.Timeouts
	ExchangeTimeout time.Duration
	// EarlyHints passes interim responses 103 on to clients of HTTP/1.1.
	EarlyHints bool
	// Meter is told what becomes of attempts; nil if nobody counts.
	Meter Meter
	// Upgrades are the protocols that a client may switch to, in lower case (RFC 9110, section 7.8).
	Upgrades []string
}

// A Meter counts attempts. Its methods are called in the task of the exchange: they must not wait or allocate.
type Meter interface {
	// Attempted is called after each round trip, whatever came of it. x.Notes has its times.
	Attempted(x *exchange.Exchange)
	// Retried is called before an attempt that is made because the one before it ended in why. x.Notes is still that one's.
	Retried(x *exchange.Exchange, why *exchange.Error)
}

// Admit decides whether the exchange may go on, and makes the request what the origin shall see of it. It is called before the filters.
func (f *Forwarder) Admit(x *exchange.Exchange) (exchange.Verdict, error) {
	r := &x.Request
	verdict, err := f.Rules.CheckHops(x)
	if err != nil {
		return exchange.Answered, err
	}
	if verdict != exchange.Continue {
		return verdict, nil
	}
	if r.Content != nil {
		if f.Content.Bytes >= 0 && r.Content.Length() > f.Content.Bytes {
			return exchange.Answered, exchange.ContentTooLarge()
		}
		if c, ok := r.Content.(exchange.Limited); ok {
			c.Limit(f.Content)
		}
	}
	if f.ExchangeTimeout > 0 {
		x.Deadline = x.Notes.Began + f.ExchangeTimeout
	}
	r.EarlyHints = f.EarlyHints
	f.upgrade(r)
	f.Rules.RequestFields(x)
	return exchange.Continue, nil
}

// upgrade keeps the first protocol that the client offers and the route allows. Offers may be ignored (RFC 9110, section 7.8), and are if there is content: an
// origin could change to another protocol while we still send it.
func (f *Forwarder) upgrade(r *exchange.Request) {
	if r.Content != nil && r.Content.Length() != 0 {
		r.Upgrade = nil
		return
	}
	for rest := r.Upgrade; len(rest) > 0; {
		var offer []byte
		offer, rest = exchange.NextToken(rest)
		for _, allowed := range f.Upgrades {
			if exchange.EqualFold(offer, allowed) {
				r.Upgrade = offer
				return
			}
		}
	}
	r.Upgrade = nil
}

// Do gets the response of an origin: it tries endpoints until one answers, as long as trying again is safe.
func (f *Forwarder) Do(x *exchange.Exchange) error {
	var tried balance.Set
	x.Notes.Pool = f.Pool.Name
	var last *exchange.Error
	for x.Notes.Attempts < f.Pool.Attempts {
		ep := f.Pool.Pick(x.Driver.ID(), &tried)
		if ep == nil {
			break
		}
		if last != nil && f.Meter != nil {
			f.Meter.Retried(x, last)
		}
		err := f.attempt(x, ep)
		if err == nil {
			f.received(x)
			return nil
		}
		if last = err; err.Retry == exchange.RetryNo {
			break
		}
	}
	if last == nil {
		last = &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindDestinationUnavailable, Op: "pick an endpoint"}
	}
	return last
}

// attempt tries one endpoint, and once more over a new connection if a kept one turned out to be dead and the request may be repeated.
func (f *Forwarder) attempt(x *exchange.Exchange, ep *upstream.Endpoint) *exchange.Error {
	x.Notes.Attempts++
	x.Notes.Endpoint, x.Endpoint = ep.Address, ep
	x.Notes.Origin, x.Notes.Reused = netip.Addr{}, false // what an attempt before this one has left
	ep.Attempts.Add(1)
	x.Trace.Begin(x)
	order := client.Order{Host: f.Rules.Host(x, ep.Host), Timeouts: f.Timeouts, Rules: f}
	err := f.roundTrip(x, ep, &order)
	if err != nil && err.Retry == exchange.RetryIdempotent && x.Notes.Reused && idempotent(x.Request.Method) {
		x.Response.Reset()
		if f.Meter != nil {
			f.Meter.Retried(x, err)
		}
		order.Fresh = true
		err = f.roundTrip(x, ep, &order)
	}
	if err != nil && err.Retry == exchange.RetryIdempotent { // for another endpoint
		err.Retry = exchange.RetryNo
		if idempotent(x.Request.Method) {
			err.Retry = exchange.RetrySafe
		}
	}
	x.Trace.End(x, err)
	if err != nil {
		x.Response.Reset()
		if err.Source == exchange.Upstream {
			ep.Failures.Add(1)
		}
	}
	return err
}

// roundTrip is a round trip that is counted.
func (f *Forwarder) roundTrip(x *exchange.Exchange, ep *upstream.Endpoint, o *client.Order) *exchange.Error {
	n := &x.Notes
	n.Attempted, n.Connected, n.ResponseBegan, n.Reused = x.Driver.Now(), 0, 0, false
	err := ep.Client.RoundTrip(x, o)
	if f.Meter != nil {
		f.Meter.Attempted(x)
	}
	return err
}

// idempotent reports whether a request with that method may be sent twice (RFC 9110, section 9.2.2).
func idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PROPFIND", "REPORT", "SEARCH":
		return true
	}
	return false
}

// hop is how the endpoint that is being tried was spoken to.
func (f *Forwarder) hop(x *exchange.Exchange) Hop {
	ep := x.Endpoint.(*upstream.Endpoint)
	return Hop{Scheme: "http", Host: f.Rules.Host(x, ep.Host), Name: ep.Name, Port: ep.Port, Address: x.Notes.Origin}
}

// Interim implements client.Rules.
func (f *Forwarder) Interim(x *exchange.Exchange, fields *exchange.Fields) {
	hop := f.hop(x)
	f.Rules.InterimFields(x, fields, &hop)
}

// RequestTrailers implements client.Rules.
func (f *Forwarder) RequestTrailers(x *exchange.Exchange) { f.Rules.RequestTrailers(x) }

// ResponseTrailers implements client.Rules.
func (f *Forwarder) ResponseTrailers(x *exchange.Exchange) { f.Rules.ResponseTrailers(x) }

// received makes the response what the client may see of it.
func (f *Forwarder) received(x *exchange.Exchange) {
	hop := f.hop(x)
	upgrade := x.Response.Fields.Get(exchange.FieldUpgrade)
	f.Rules.ResponseFields(x, &hop)
	if x.Response.Tunnel != nil {
		x.Response.Fields.Add(exchange.FieldUpgrade, upgrade) // the client's codec tells the protocol
	}
}

// Tunnel joins the two ends after an upgrade and copies both ways until both have ended, or one has failed.
func Tunnel(x *exchange.Exchange) error {
	origin := x.Response.Tunnel
	defer origin.Close()
	client, err := x.Sender().Upgrade(&x.Response)
	if err != nil {
		return err
	}
	defer client.Close()
	up, down := loop.Relay(x.Driver, client, origin)
	x.Notes.ContentIn, x.Notes.ContentOut = up.Bytes, down.Bytes
	if broken(up.Err) || broken(down.Err) { // the end that is left must not take it for an end in order
		origin.Reset()
		client.Reset()
	}
	return tunnelError(x, down.Err, up.Err)
}

// broken reports whether a direction has neither ended in order nor been ended by us.
func broken(err error) bool { return err != nil && !loop.IsTimeout(err) }

// tunnelError is nil for the usual ends of a tunnel: one of the two leaves, or nothing came for too long. When one direction fails the other one is ended by a
// timeout, so two of them are the limit.
func tunnelError(x *exchange.Exchange, down, up error) error {
	err := errors.Join(down, up)
	idle := func(err error) bool { return err == nil || loop.IsTimeout(err) }
	switch {
	case err == nil:
		return nil
	case idle(down) && idle(up):
		x.Err = &exchange.Error{Source: exchange.Downstream, Kind: exchange.KindConnectionReadTimeout, Limit: "limits.tunnel_timeout", Op: "tunnel: no byte"}
		return nil
	case loop.IsTimeout(err):
		return nil
	}
	return &exchange.Error{Source: exchange.Downstream, Kind: exchange.KindConnectionTerminated, Op: "tunnel", Err: err}
}
