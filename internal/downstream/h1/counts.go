package h1

import "sync/atomic"

// An End is why a connection ended.
type End uint8

// The ends of connections. That a client broke off is the zero value: it can do so at any time.
const (
	EndClient  End = iota // the client closed it, or it broke, between exchanges or within a request
	EndTimeout            // no request came in time
	EndDone               // in order after a response: the client, a limit or the process's end wanted it so
	EndRefused            // after a request that is not valid, or not whole in time
	EndAborted            // within a response
	EndTunnel             // with the tunnel that it had become
	EndDrain              // between exchanges, because the process ends
	EndFault              // by a panic
	endCount
)

// String returns the name of e in metrics.
func (e End) String() string {
	return [...]string{"client", "timeout", "done", "refused", "aborted", "tunnel", "drain", "fault"}[e]
}

// Ends are all ends of connections.
func Ends() []End {
	all := make([]End, endCount)
	for i := range all {
		all[i] = End(i)
	}
	return all
}

// counts are what happens on one driver. Each has cache lines of its own.
type counts struct {
	exchanges atomic.Int64 // under way
	tunnels   atomic.Int64 // open
	ended     [endCount]atomic.Int64
	_         [128 - (2+endCount)*8%128]byte
}

// Exchanges is how many exchanges are under way, tunnels among them.
func (s *Server) Exchanges() int64 {
	return s.sum(func(c *counts) *atomic.Int64 { return &c.exchanges })
}

// Tunnels is how many connections are tunnels.
func (s *Server) Tunnels() int64 { return s.sum(func(c *counts) *atomic.Int64 { return &c.tunnels }) }

// Ended is how many connections ended that way.
func (s *Server) Ended(how End) int64 {
	return s.sum(func(c *counts) *atomic.Int64 { return &c.ended[how] })
}

func (s *Server) sum(of func(*counts) *atomic.Int64) (n int64) {
	for i := range s.counts {
		n += of(&s.counts[i]).Load()
	}
	return n
}

// ending is how the connection ends if it ends after this exchange.
func (a *active) ending() End {
	switch {
	case a.sender.head == nil && a.sender.done:
		return EndRefused
	case !a.sender.done || a.sender.broken:
		return EndAborted
	}
	return EndDone
}
