package balance

import "sync/atomic"

// A RoundRobin gives each endpoint its turns by weight, spread evenly: with weights 5, 3 and 1 the order is a b a c a b a b a, over and over. With equal weights
// it is the plain order of the pool.
//
// The order is worked out when the balancer is made; a pick moves a cursor. Each shard has its own cursor, so that its shares are exact by itself. An
// endpoint that can't be used loses its turns, and the others keep theirs: shares stay exact among those that are left.
type RoundRobin struct {
	cycle   []uint32 // endpoints in the order of their turns
	members []uint32 // endpoints that have turns
	cursors []cursor // by shard
}

// cursor counts the turns that a shard has given. It fills a cache line of its own.
type cursor struct {
	next atomic.Uint64
	_    [56]byte
}

// cycleMax bounds the length of a cycle beyond the number of endpoints. Weights whose sum is larger are scaled down: 3 endpoints get shares that are
// exact to a ten-thousandth.
const cycleMax = 1 << 13

// NewRoundRobin returns a balancer for endpoints with these weights. An endpoint whose weight is 0 or less has no turns. shards is how many drivers there
// are; further ones share the cursors.
func NewRoundRobin(weights []int, shards int) *RoundRobin {
	r := &RoundRobin{cycle: cycleOf(scale(weights)), members: inOrder(weights), cursors: make([]cursor, max(shards, 1))}
	for i := range r.cursors {
		// Shards begin at different places, so that the first requests of a new snapshot don't all go to the first endpoint.
		r.cursors[i].next.Store(uint64(i * len(r.cycle) / len(r.cursors)))
	}
	return r
}

// Pick implements Balancer. BenchmarkPick.
func (r *RoundRobin) Pick(shard int, tried Set) int {
	if tried.Len() >= len(r.members) && r.allIn(&tried) {
		return -1
	}
	c := &r.cursors[uint(shard)%uint(len(r.cursors))]
	for {
		turn := c.next.Add(1) - 1
		if i := int(r.cycle[turn%uint64(len(r.cycle))]); !tried.Has(i) {
			return i
		}
	}
}

// allIn reports whether all endpoints that have turns are in tried.
func (r *RoundRobin) allIn(tried *Set) bool {
	for _, i := range r.members {
		if !tried.Has(int(i)) {
			return false
		}
	}
	return true
}

// scale divides weights by what they have in common, and makes them small enough for a cycle; negative ones become 0.
func scale(weights []int) []int {
	scaled := make([]int, len(weights))
	divisor, sum := 0, 0
	for i, w := range weights {
		scaled[i] = max(w, 0)
		divisor = gcd(divisor, scaled[i])
	}
	for i := range scaled {
		scaled[i] /= max(divisor, 1)
		sum += scaled[i]
	}
	if sum <= cycleMax || sum <= len(weights) {
		return scaled
	}
	for i, w := range scaled {
		if w > 0 {
			scaled[i] = max(1, int((float64(w)*cycleMax)/float64(sum)+0.5))
		}
	}
	return scaled
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// cycleOf spreads the turns of each endpoint evenly over a cycle as long as the sum of the weights. At each turn every endpoint's credit grows by its weight;
// the turn goes to the largest credit, which falls by the sum (the smooth weighted round robin of nginx). Beyond that no endpoint has two turns in a
// row, from one cycle to the next either, unless it has more than half of all turns.
func cycleOf(weights []int) []uint32 {
	s := spread{weights: weights, left: append([]int(nil), weights...), credit: make([]int, len(weights)), first: -1, last: -1}
	for _, w := range weights {
		s.sum += w
	}
	if isEqual(weights) {
		return inOrder(weights)
	}
	cycle := make([]uint32, 0, s.sum)
	for s.turns = s.sum; s.turns > 0; s.turns-- {
		cycle = append(cycle, uint32(s.next()))
	}
	return cycle
}

// isEqual reports whether all weights above 0 are 1: then the cycle is the order of the pool, and there may be very many endpoints.
func isEqual(weights []int) bool {
	for _, w := range weights {
		if w > 1 {
			return false
		}
	}
	return true
}

func inOrder(weights []int) (cycle []uint32) {
	for i, w := range weights {
		if w > 0 {
			cycle = append(cycle, uint32(i))
		}
	}
	return cycle
}

// spread is the state of cycleOf.
type spread struct {
	weights, left, credit []int
	sum, turns            int // of the cycle; those that are left
	first, last           int // endpoints of the first turn and of the one before; -1 if there is none
}

// next gives a turn away.
func (s *spread) next() int {
	for i, w := range s.weights {
		s.credit[i] += w
	}
	best := -1
	for i := range s.credit {
		if s.left[i] > 0 && (best < 0 || s.credit[i] > s.credit[best]) && s.fits(i) {
			best = i
		}
	}
	if best < 0 { // an endpoint with more than half of all turns: some of them follow each other
		best = s.richest()
	}
	if s.first < 0 {
		s.first = best
	}
	s.credit[best] -= s.sum
	s.left[best]--
	s.last = best
	return best
}

func (s *spread) richest() int {
	best := -1
	for i := range s.credit {
		if s.left[i] > 0 && (best < 0 || s.credit[i] > s.credit[best]) {
			best = i
		}
	}
	return best
}

// fits reports whether endpoint i may have the next turn: it has not had the last one, and afterwards no endpoint has more turns left than fit between i
// and the cycle's first turn without two of them in a row.
func (s *spread) fits(i int) bool {
	if i == s.last {
		return false
	}
	first := s.first
	if first < 0 {
		first = i
	}
	turns := s.turns - 1
	for k, left := range s.left {
		room := turns
		if k == i {
			left--
			room--
		}
		if k == first {
			room--
		}
		if left > max(0, (room+1)/2) {
			return false
		}
	}
	return true
}
