// Package snapshot is one config in built form.
//
// build makes it, services apply it, serve loads it once for each exchange. It is memory only and never changes; what has a socket, a goroutine or a timer is a
// service beside it. Endpoints, whose counters do change, are shared by the snapshots that have them.
package snapshot

import (
	"sync/atomic"

	h1 "sluice/internal/downstream/h1"
	"sluice/internal/filter"
	"sluice/internal/forward"
	"sluice/internal/route"
	"sluice/internal/upstream"
)

// A Snapshot is one generation of the config.
type Snapshot struct {
	Generation uint64
	Routes     *route.Table
	Trust      *forward.Trust
	Dates      *forward.Dates
	// Refused is the chain of requests that are not valid; only its finish phases run.
	Refused   filter.Chain
	Listeners []Listener
	H1        *h1.Settings
	Pools     []*upstream.Pool
}

// A Listener is an address to accept on.
type Listener struct {
	Name    string // as exchange.Client.Listener has it
	Address string // ":80", "127.0.0.1:8080", "unix:/run/x.sock"
}

// Current points to the snapshot in force. The zero value holds none.
type Current struct{ p atomic.Pointer[Snapshot] }

// Load returns the snapshot in force. Who needs several things of it loads it once.
func (c *Current) Load() *Snapshot { return c.p.Load() }

// Store puts s in force for exchanges that begin from now on.
func (c *Current) Store(s *Snapshot) { c.p.Store(s) }
