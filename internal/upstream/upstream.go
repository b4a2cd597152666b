// Package upstream is the origin's side: pools of equal endpoints, and which of them an attempt goes to.
//
// forward asks a Pool for an Endpoint and the endpoint's client for a round trip. A Pool is part of a snapshot and never changes; an Endpoint outlives
// snapshots, with its connections and counters, as long as the config names its address with the same settings (see build).
package upstream

import (
	"sync/atomic"

	"sluice/internal/upstream/balance"
	"sluice/internal/upstream/client"
)

// A Pool is a named set of equals.
type Pool struct {
	Name      string
	Endpoints []*Endpoint
	// Balancer picks among the endpoints by index.
	Balancer balance.Balancer
	// Attempts bounds how many endpoints an exchange is tried on.
	Attempts int
}

// An Endpoint is one address in a pool. Its identity is fixed; its counters are atomic.
type Endpoint struct {
	Key     string // what it is recognised by over reloads
	Address string // as the config writes it, for logs and metrics
	Host    []byte // its own host and port, as an origin would be asked for: without the port if that is the scheme's default
	Name    []byte // its host without port; empty for a Unix socket
	Port    uint16 // 0 for a Unix socket
	Client  *client.H1

	Attempts atomic.Int64 // exchanges that were tried here
	Failures atomic.Int64 // attempts that ended in an error of the endpoint
}

// AttemptsMax is the most that Pool.Attempts may be.
const AttemptsMax = 8

// Pick returns an endpoint for the next attempt, or nil if each of them has been tried. shard is the driver's number.
func (p *Pool) Pick(shard int, tried *balance.Set) *Endpoint {
	i := p.Balancer.Pick(shard, *tried)
	if i < 0 {
		return nil
	}
	tried.Add(i)
	return p.Endpoints[i]
}
