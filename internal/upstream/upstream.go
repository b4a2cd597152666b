// Package upstream is the origin's side: pools of equal endpoints, and which of them an attempt goes to.
//
// forward asks a Pool for an Endpoint and the endpoint's client for a round trip. A Pool is part of a snapshot; an Endpoint outlives snapshots, with its
// connections, counters and what operators say about it, as long as the config names its address in the same pool (see build). What may change meanwhile, its
// weight and the limits of its connections, is the Pool's.
package upstream

import (
	"sync/atomic"

	"sluice/internal/exchange"
	"sluice/internal/upstream/balance"
	"sluice/internal/upstream/client"
)

// A Pool is a named set of equals. It never changes but for the shares of its endpoints, which follow their rotations when Balance is called.
type Pool struct {
	Name      string
	Endpoints []*Endpoint
	// Attempts bounds how many endpoints an exchange is tried on.
	Attempts int

	settings []*client.Settings // of the endpoints' connections
	weights  []int              // of the endpoints, as the config has them
	shards   int
	balancer atomic.Pointer[balance.RoundRobin]
}

// A Member is an endpoint as a config has it in a pool.
type Member struct {
	Endpoint *Endpoint
	Settings *client.Settings
	Weight   int
}

// NewPool returns a pool. shards is how many drivers there are.
func NewPool(name string, members []Member, attempts, shards int) *Pool {
	p := &Pool{Name: name, Attempts: attempts, shards: shards}
	for _, m := range members {
		p.Endpoints = append(p.Endpoints, m.Endpoint)
		p.settings = append(p.settings, m.Settings)
		p.weights = append(p.weights, m.Weight)
	}
	p.Balance()
	return p
}

// Replace puts the pools of next in force instead of those of prev: endpoints get the settings that next has for them, and those that only prev has are retired.
func Replace(prev, next []*Pool) {
	kept := map[*Endpoint]bool{}
	for _, p := range next {
		for i, ep := range p.Endpoints {
			ep.Client.Apply(p.settings[i])
			kept[ep] = true
		}
	}
	for _, p := range prev {
		for _, ep := range p.Endpoints {
			if !kept[ep] {
				ep.Client.Retire()
			}
		}
	}
}

// An Endpoint is one address in a pool. Its identity is fixed; its counters are atomic.
type Endpoint struct {
	Address string // as the config writes it, for logs and metrics
	Host    []byte // its own host and port, as an origin would be asked for: without the port if that is the scheme's default
	Name    []byte // its host without port; empty for a Unix socket
	Port    uint16 // 0 for a Unix socket
	Client  *client.H1
	// Rotation is what operators say about the address. Endpoints with the same one in pools of the same name share it.
	Rotation *Rotation

	Attempts atomic.Int64 // exchanges that were tried here
	Failures atomic.Int64 // attempts that ended in an error of the endpoint
}

// A Rotation is an operator's word on an address: whether it gets exchanges, and what share. The zero Rotation leaves it to the config. Any goroutine may use it;
// pools follow when Balance is called.
type Rotation struct {
	// Draining takes the address out: exchanges that run go on, no new ones come.
	Draining atomic.Bool
	// Weight is its weight; 0 is that of the config.
	Weight atomic.Int32
}

// AttemptsMax is the most that Pool.Attempts may be.
const AttemptsMax = exchange.AttemptsMax

// Weight is the weight of endpoint i, whether or not it is draining; byConfig is what it is without an operator's word.
func (p *Pool) Weight(i int) (weight, byConfig int) {
	byConfig = p.weights[i]
	if w := p.Endpoints[i].Rotation.Weight.Load(); w > 0 {
		return int(w), byConfig
	}
	return byConfig, byConfig
}

// Balance has the shares of the endpoints follow their rotations. Attempts that pick at the same time get the old shares or the new ones. It must not be called
// by two goroutines at once.
func (p *Pool) Balance() {
	weights := make([]int, len(p.Endpoints))
	for i, ep := range p.Endpoints {
		if !ep.Rotation.Draining.Load() {
			weights[i], _ = p.Weight(i)
		}
	}
	p.balancer.Store(balance.NewRoundRobin(weights, p.shards))
}

// Pick returns an endpoint for the next attempt, or nil if each of them has been tried or is draining. shard is the driver's number.
func (p *Pool) Pick(shard int, tried *balance.Set) *Endpoint {
	i := p.balancer.Load().Pick(shard, *tried)
	if i < 0 {
		return nil
	}
	tried.Add(i)
	return p.Endpoints[i]
}
