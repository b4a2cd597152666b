// Package filter says what a feature on the way of a request is, and runs the features of a route in order.
//
// A Filter is built once for each snapshot and route, never changes and holds no goroutine, socket or timer; it serves many exchanges, on several
// loops at once. Phases are found once, when the chain is built, so that a run is two plain loops.
package filter

import "sluice/internal/exchange"

// A Filter is one feature on one route. It implements the phases it needs: Requester, Responder, Finisher.
type Filter interface {
	// Name is the feature's config key.
	Name() string
}

// A Requester acts when the head of the request is known, before it is forwarded. It must not block; what may block goes through x.Driver.Offload.
type Requester interface {
	Request(x *exchange.Exchange) exchange.Verdict
}

// A Responder acts when the head of the final response is known, before it is sent, in reverse order of the chain. It runs for the proxy's own answers, too.
type Responder interface {
	Response(x *exchange.Exchange)
}

// A Finisher acts after the last byte: it logs and counts, and changes nothing.
type Finisher interface {
	Finish(x *exchange.Exchange)
}

// A Chain is all filters of one route. The zero Chain has none.
type Chain struct {
	filters   []Filter
	request   []Requester
	response  []responseStep
	finishers []Finisher
}

// responseStep is a response phase and the number of request steps after which it runs.
type responseStep struct {
	after int
	Responder
}

// NewChain returns the chain of filters in the order of the request phases; responders is the same features in the order of their response phases.
func NewChain(filters, responders []Filter) Chain {
	c := Chain{filters: filters}
	reached := map[Filter]int{}
	for _, f := range filters {
		if r, ok := f.(Requester); ok {
			c.request = append(c.request, r)
		}
		reached[f] = len(c.request)
		if f, ok := f.(Finisher); ok {
			c.finishers = append(c.finishers, f)
		}
	}
	for _, f := range responders {
		if r, ok := f.(Responder); ok {
			c.response = append(c.response, responseStep{reached[f], r})
		}
	}
	return c
}

// Request runs the request phases until one does not say Continue. reached counts those that ran, for Response.
func (c *Chain) Request(x *exchange.Exchange) (reached int, v exchange.Verdict) {
	for i, f := range c.request {
		if v := f.Request(x); v != exchange.Continue {
			return i + 1, v
		}
	}
	return len(c.request), exchange.Continue
}

// Response runs the response phases of the filters that the request reached.
func (c *Chain) Response(x *exchange.Exchange, reached int) {
	for i := range c.response {
		if s := &c.response[i]; s.after <= reached {
			s.Response(x)
		}
	}
}

// Finish runs the finish phases.
func (c *Chain) Finish(x *exchange.Exchange) {
	for _, f := range c.finishers {
		f.Finish(x)
	}
}

// Filters returns the chain's filters in the order of their request phases.
func (c *Chain) Filters() []Filter { return c.filters }
