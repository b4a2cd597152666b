package balance

import (
	"fmt"
	"testing"
)

func TestPickAllocatesNothing(t *testing.T) {
	var b Balancer = NewRoundRobin([]int{5, 3, 1}, 2)
	if n := testing.AllocsPerRun(100, func() {
		var tried Set
		tried.Add(b.Pick(1, tried))
		tried.Add(b.Pick(1, tried))
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPick(b *testing.B) {
	for _, weights := range [][]int{{1, 1, 1}, {5, 3, 1}, make([]int, 1000)} {
		if len(weights) == 1000 {
			for i := range weights {
				weights[i] = 1 + i%5
			}
		}
		r := NewRoundRobin(weights, 1)
		b.Run(fmt.Sprint(len(weights), " endpoints, ", len(r.cycle), " turns"), func(b *testing.B) {
			for b.Loop() {
				r.Pick(0, Set{})
			}
		})
	}
}
