package balance

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// turns returns the next n picks of shard 0 as letters.
func turns(r *RoundRobin, n int, tried ...int) string {
	var b []byte
	for range n {
		b = append(b, 'a'+byte(r.Pick(0, setOf(tried...))))
	}
	return string(b)
}

func setOf(members ...int) (s Set) {
	for _, i := range members {
		s.Add(i)
	}
	return s
}

func TestSpreadsTurnsSmoothly(t *testing.T) {
	f := func(want string, weights ...int) {
		t.Helper()
		if got := turns(NewRoundRobin(weights, 1), len(want)); got != want {
			t.Errorf("weights %v: %s, want %s", weights, got, want)
		}
	}
	f("abacababaabacababa", 5, 3, 1)
	f("aabacaaaabacaa", 5, 1, 1)
	f("aabaaab", 6, 2)
	f("abcabc", 1, 1, 1)
	f("abcabc", 7, 7, 7)
	f("cac", 1, 0, 2)
	f("abacad", 3, 1, 1, 1) // the order of nginx is a b a c d a, and so twice a from one cycle to the next
	f("aaa", 4)
	f("bbb", -1, 2)
}

func TestPickSkipsWhatWasTried(t *testing.T) {
	f := func(want string, weights []int, tried ...int) {
		t.Helper()
		if got := turns(NewRoundRobin(weights, 1), len(want), tried...); got != want {
			t.Errorf("weights %v without %v: %s, want %s", weights, tried, got, want)
		}
	}
	f("abaababaabaabab", []int{5, 3, 1}, 2)
	f("bcbbbcbb", []int{5, 3, 1}, 0)
	f("cc", []int{5, 3, 1}, 0, 1)
	f("acac", []int{1, 1, 1}, 1)
	r := NewRoundRobin([]int{5, 3, 1, 0}, 1)
	if got := r.Pick(0, setOf(0, 1, 2)); got != -1 {
		t.Errorf("picked %d after all had been tried", got)
	}
	for _, none := range [][]int{nil, {0, 0}, {-1}} {
		if got := NewRoundRobin(none, 1).Pick(0, Set{}); got != -1 {
			t.Errorf("picked %d of %v", got, none)
		}
	}
}

func TestSharesAreExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		weights := make([]int, 1+random.IntN(6))
		sum := 0
		for i := range weights {
			weights[i] = random.IntN(20)
			sum += weights[i]
		}
		if sum == 0 {
			continue
		}
		r := NewRoundRobin(weights, 1)
		counts := make([]int, len(weights))
		for range 3 * sum {
			counts[r.Pick(0, Set{})]++
		}
		for i, w := range weights {
			if counts[i] != 3*w {
				t.Fatalf("weights %v: %v of %d turns", weights, counts, 3*sum)
			}
		}
		checkShareWithout(t, r, weights, random.IntN(len(weights)))
	}
}

// checkShareWithout checks that those left without one of the endpoints keep their proportions.
func checkShareWithout(t *testing.T, r *RoundRobin, weights []int, without int) {
	t.Helper()
	left := 0
	for i, w := range weights {
		if i != without {
			left += w
		}
	}
	counts := make([]int, len(weights))
	for range 2 * left {
		counts[r.Pick(0, setOf(without))]++
	}
	for i, w := range weights {
		if i != without && (counts[i] < 2*w-1 || counts[i] > 2*w+1) {
			t.Fatalf("weights %v without %d: %v", weights, without, counts)
		}
	}
}

func TestSharesOfManyShardsAreWithinAPercent(t *testing.T) {
	weights, shards := []int{5, 3, 1}, 4
	r := NewRoundRobin(weights, shards)
	counts := make([]int, len(weights))
	const picks = 10007
	for i := range picks {
		counts[r.Pick(i*7%shards, Set{})]++
	}
	for i, w := range weights {
		if share, want := float64(counts[i])/picks, float64(w)/9; share < want*0.99 || share > want*1.01 {
			t.Errorf("endpoint %d has %.4f of the turns, want %.4f", i, share, want)
		}
	}
}

func TestSharesOfParallelTasksAreExact(t *testing.T) {
	r := NewRoundRobin([]int{5, 3, 1}, 1)
	var mu sync.Mutex
	var counts [3]int
	var wg sync.WaitGroup
	for range 9 {
		wg.Go(func() {
			var mine [3]int
			for range 100 {
				mine[r.Pick(0, Set{})]++
			}
			mu.Lock()
			defer mu.Unlock()
			for i, n := range mine {
				counts[i] += n
			}
		})
	}
	wg.Wait()
	if counts != [3]int{500, 300, 100} {
		t.Errorf("got %v", counts)
	}
}

func TestNoEndpointHasTwoTurnsInARowWhereThatCanBe(t *testing.T) {
	var weights [4]int
	for code := range 9 * 9 * 9 * 9 {
		sum, most := 0, 0
		for i := range weights {
			weights[i] = code % 9
			code /= 9
			sum, most = sum+weights[i], max(most, weights[i])
		}
		if sum == 0 || 2*most > sum {
			continue
		}
		cycle := cycleOf(weights[:])
		for i, endpoint := range cycle {
			if endpoint == cycle[(i+1)%len(cycle)] {
				t.Fatalf("weights %v: %v", weights, cycle)
			}
		}
	}
}

func TestTurnsAreNearWhereTheyShouldBe(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		weights := make([]int, 2+random.IntN(5))
		sum := 0
		for i := range weights {
			weights[i] = 1 + random.IntN(30)
			sum += weights[i]
		}
		counts := make([]int, len(weights))
		for n, endpoint := range cycleOf(weights) {
			counts[endpoint]++
			for i, w := range weights {
				if due := float64(n+1) * float64(w) / float64(sum); float64(counts[i]) > due+2.5 || float64(counts[i]) < due-2.5 {
					t.Fatalf("weights %v: endpoint %d has had %d turns of %d, %.2f were due", weights, i, counts[i], n+1, due)
				}
			}
		}
	}
}

func TestScalesHugeWeights(t *testing.T) {
	r := NewRoundRobin([]int{1000003, 500001, 1}, 1)
	if n := len(r.cycle); n > cycleMax+3 {
		t.Fatalf("a cycle of %d turns", n)
	}
	var counts [3]int
	for range r.cycle {
		counts[r.Pick(0, Set{})]++
	}
	if share := float64(counts[0]) / float64(len(r.cycle)); share < 0.665 || share > 0.668 || counts[2] != 1 {
		t.Errorf("counts %v", counts)
	}
	many := make([]int, 20000)
	for i := range many {
		many[i] = 3
	}
	if n := len(NewRoundRobin(many, 2).cycle); n != len(many) {
		t.Errorf("a cycle of %d turns for %d equal endpoints", n, len(many))
	}
}

func TestASetHoldsWhatFits(t *testing.T) {
	var s Set
	for i := range SetMax + 5 {
		s.Add(i)
		s.Add(i)
	}
	if s.Len() != SetMax || !s.Has(0) || !s.Has(SetMax-1) || s.Has(SetMax) {
		t.Errorf("%d members", s.Len())
	}
}
