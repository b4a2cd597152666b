// Package balance picks one of several equal endpoints. It knows them by their index in the pool and by their weight, and nothing else of them.
//
// A Balancer belongs to a snapshot and serves all loops at once, without a lock: each loop has a shard of its state. It is asked once for each attempt of
// an exchange (forward), with the endpoints that this exchange must not go to.
package balance

// A Balancer picks endpoints. Pick is called on the way of each request: it must not block or allocate.
type Balancer interface {
	// Pick returns the index of the endpoint for the next attempt, or -1 if there is none outside of tried. shard is the number of the calling driver; tasks of
	// one driver may call it at the same time.
	Pick(shard int, tried Set) int
}

// SetMax is how many endpoints a Set holds: more than an exchange has attempts.
const SetMax = 16

// A Set is the few endpoints that one exchange has tried. The zero Set is empty. It is handed on by value, so that it can stay on the stack.
type Set struct {
	members [SetMax]uint32
	n       uint8
}

// Add puts endpoint i into s. A full Set stays as it is.
func (s *Set) Add(i int) {
	if !s.Has(i) && int(s.n) < len(s.members) {
		s.members[s.n] = uint32(i)
		s.n++
	}
}

// Has reports whether endpoint i is in s.
func (s *Set) Has(i int) bool {
	for _, m := range s.members[:s.n] {
		if m == uint32(i) {
			return true
		}
	}
	return false
}

// Len returns the number of endpoints in s.
func (s *Set) Len() int { return int(s.n) }
