// Package route finds the Route of a request: a compiled table from listener, host, path, method, fields, query and client address.
//
// serve asks it once for each exchange. build makes a new Table for each snapshot; a Table never changes, and Match neither allocates nor waits.
// Hosts match exact, then wildcard (longest suffix first), then any. Within a site, rules are tried in written order and the first that holds wins;
// a request that no rule takes falls to the site's own route. An index of paths makes that fast without changing the order.
// Requests are matched in their normal form (Request.Host and Request.MatchPath), patterns are brought to the same form when they are parsed.
//
// The package knows neither features nor pools: a Route carries them as a filter.Chain and a Forwarder.
package route

import (
	"sluice/internal/exchange"
	"sluice/internal/filter"
)

// A Route says what happens to an exchange: its filters, and who gets a response if none of them answers. It does not change after Build.
type Route struct {
	// Site and Name are for logs: the site's name in the config, and "site" or the rule's number and pattern ("2 /static/*").
	Site, Name string
	// Chain is the filters of the route.
	Chain filter.Chain
	// Forward gets a response when the filters continue. Never nil in a built snapshot; see Refusal for routes that lead nowhere.
	Forward Forwarder
	// Trace lets TRACE through, which is refused otherwise (RFC 9110, section 9.3.8).
	Trace bool
}

// A Forwarder gets the final response of an exchange that no filter has answered: from an origin, or by saying why there is none.
type Forwarder interface {
	// Admit is called before the filters: it says why the exchange must not go on, answers it, or makes the request what an origin shall see of it and continues.
	Admit(x *exchange.Exchange) (exchange.Verdict, error)
	// Do is called once for each exchange, by its task, and may wait. It fills x.Response, or returns why it could not: an *exchange.Error.
	Do(x *exchange.Exchange) error
}

// A Refusal is the Forwarder of a route that leads nowhere: each exchange fails with the same error.
type Refusal exchange.Error

// Admit implements Forwarder: the filters of the route may answer yet.
func (r *Refusal) Admit(*exchange.Exchange) (exchange.Verdict, error) { return exchange.Continue, nil }

// Do implements Forwarder.
func (r *Refusal) Do(*exchange.Exchange) error { return (*exchange.Error)(r) }

// NotFound returns the Forwarder of a site that has nothing for requests that no rule takes: 404 (RFC 9110, section 15.5.5).
func NotFound() *Refusal {
	return &Refusal{Source: exchange.Internal, Kind: exchange.KindDestinationNotFound, Status: 404, Op: "route: no rule of the site takes it"}
}

// Misdirected returns the Forwarder for requests to a host that the listener has no site for: 421 (RFC 9110, section 15.5.20).
// Not 404: the resource may well exist elsewhere, and a client that reused a connection for another host (RFC 9113, section 9.1.1) tries again
// on a new one.
func Misdirected() *Refusal {
	return &Refusal{Source: exchange.Internal, Kind: exchange.KindDestinationNotFound, Status: 421, Op: "route: no site has the host"}
}

// PathTooLong returns the Forwarder for paths above the limit of regular expressions: 414 (RFC 9110, section 15.5.15).
func PathTooLong() *Refusal {
	return &Refusal{Source: exchange.Downstream, Kind: exchange.KindHTTPRequestDenied, Status: 414, Op: "route: path too long for path_regexp"}
}

// A Site is one host on one listener. A site of the config that has several of them is given several times, with the same rules.
type Site struct {
	Listener string // as in exchange.Client.Listener
	Host     Host
	Rules    []Rule
	Route    *Route // takes what no rule takes
}

// A Rule leads the requests that any of its Matches takes to a Route. Without one it takes none.
type Rule struct {
	Matches []Match
	Route   *Route
}

// Fallbacks are the routes of requests that belong to no site. Both must be set.
type Fallbacks struct {
	Misdirected *Route // no site of the listener has the host
	PathTooLong *Route // a path_regexp would have to be asked about a path longer than RegexpPathMax
}
