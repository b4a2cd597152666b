package buf

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"
)

func TestABlockIsAsLargeAsItsClass(t *testing.T) {
	var p Pool
	for n, want := range map[int]int{
		0: Small, 1: Small, Small: Small, Small + 1: Medium, Medium: Medium, Medium + 1: Large, Large + 1: Huge, Huge: Huge, Huge + 1: Huge + 1,
	} {
		b := p.Get(n)
		if len(b) != want || cap(b) != want {
			t.Errorf("Get(%d) has len %d and cap %d, want %d", n, len(b), cap(b), want)
		}
		p.Put(b)
	}
}

func TestTheLastBlockPutIsTheFirstOneGot(t *testing.T) {
	var p Pool
	a, b := p.Get(Small), p.Get(Small)
	p.Put(a[:10]) // whole, whatever was cut off its end
	p.Put(b)
	if got := p.Get(1); &got[0] != &b[0] {
		t.Error("not the warm one")
	}
	if got := p.Get(1); &got[0] != &a[0] || len(got) != Small {
		t.Error("not the other one")
	}
}

func TestWhatIsNotAWholeBlockIsNotKept(t *testing.T) {
	var p Pool
	p.Put(nil)
	p.Put(make([]byte, 0))
	p.Put(make([]byte, 100))
	p.Put(make([]byte, Huge+1))
	b := p.Get(Small)
	p.Put(b[1:])
	for c, free := range p.free {
		if len(free) != 0 {
			t.Errorf("class %d keeps %d", c, len(free))
		}
	}
}

func TestAPoolKeepsNoMoreThanItsLimit(t *testing.T) {
	var p Pool
	for _, size := range classes {
		for range keepBytes/size + 10 {
			p.Put(make([]byte, size))
		}
		if kept := len(p.free[class(size)]) * size; kept != keepBytes {
			t.Errorf("blocks of %d: %d bytes are kept", size, kept)
		}
	}
}

// Whatever is taken and given back, by whichever goroutine, no block has two owners.
func TestNoBlockIsHandedOutTwice(t *testing.T) {
	var p Pool
	var mu sync.Mutex
	owned := map[*byte]bool{}
	var workers sync.WaitGroup
	for seed := range uint64(4) {
		workers.Go(func() {
			r := rand.New(rand.NewPCG(seed, 0))
			var mine [][]byte
			for range 3000 {
				if len(mine) > 0 && r.IntN(2) == 0 {
					i := r.IntN(len(mine))
					b := mine[i]
					mine[i] = mine[len(mine)-1]
					mine = mine[:len(mine)-1]
					mu.Lock()
					delete(owned, &b[0])
					mu.Unlock()
					p.Put(b)
					continue
				}
				b := p.Get(1 + r.IntN(2*Medium))
				b[0], b[len(b)-1] = byte(seed), byte(seed)
				mu.Lock()
				if owned[&b[0]] {
					t.Error("a block has two owners")
				}
				owned[&b[0]] = true
				mu.Unlock()
				mine = append(mine, b)
			}
		})
	}
	workers.Wait()
}

func TestGetAndPutAllocateNothing(t *testing.T) {
	var p Pool
	p.Put(p.Get(Small))
	if n := testing.AllocsPerRun(1000, func() { p.Put(p.Get(Small)) }); n != 0 {
		t.Error(n)
	}
}

func TestScratchKeepsWhatItReturnedInPlace(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		var s Scratch
		for range 3 {
			var got, want [][]byte
			for i := range 60 {
				text := bytes.Repeat([]byte{byte('a' + i%26)}, r.IntN(100))
				switch r.IntN(4) {
				case 0:
					got = append(got, append(s.Alloc(len(text))[:0], text...))
				case 1:
					got = append(got, s.Copy(text))
				case 2:
					got = append(got, s.String(string(text)))
				case 3:
					room := r.IntN(200) // append outgrows it now and then
					got = append(got, s.Commit(append(s.Tail(room), text...)))
				}
				want = append(want, text)
			}
			for i := range got {
				if !bytes.Equal(got[i], want[i]) || cap(got[i]) != len(got[i]) {
					t.Fatalf("seed %d: number %d is %q with room for %d, want %q", seed, i, got[i], cap(got[i]), want[i])
				}
			}
			s.Reset()
		}
	}
}

func TestScratchForgetsWhatIsNotCommitted(t *testing.T) {
	var s Scratch
	a := append(s.Tail(10), "gone"...)
	b := s.String("kept")
	if &a[0] != &b[0] {
		t.Error("the room was not used again")
	}
	if got := s.Commit(nil); len(got) != 0 {
		t.Error(got)
	}
}

func TestScratchAllocatesNothingOnceItIsWarm(t *testing.T) {
	var s Scratch
	if n := testing.AllocsPerRun(1000, func() {
		for range 10 {
			s.String("a field's value of the usual length")
		}
		s.Reset()
	}); n != 0 {
		t.Error(n)
	}
}

func TestScratchGivesALargeBlockBack(t *testing.T) {
	var s Scratch
	s.Alloc(100 * scratchBytes)
	s.Reset()
	if cap(s.block) > scratchBytes {
		t.Error(cap(s.block), " bytes are kept")
	}
}

func TestFreeKeepsValuesForReuse(t *testing.T) {
	var f Free[int]
	var p Pool
	if f.Get(&p) != nil {
		t.Error("an empty list has something")
	}
	a, b := new(int), new(int)
	f.Put(&p, a)
	f.Put(&p, b)
	if f.Get(&p) != b || f.Get(&p) != a || f.Get(&p) != nil {
		t.Error("not last in, first out")
	}
	for range freeMax + 10 {
		f.Put(&p, new(int))
	}
	if len(f.list) != freeMax {
		t.Error(len(f.list), " are kept")
	}
}

func TestFreeHandsNothingOutTwice(t *testing.T) {
	var f Free[int]
	var p Pool
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for range 5000 {
				v := f.Get(&p)
				if v == nil {
					v = new(int)
				}
				*v++ // the race detector, and the sum, tell of two owners
				if *v != 1 {
					t.Error("a value has two owners")
				}
				*v--
				f.Put(&p, v)
			}
		})
	}
	workers.Wait()
}
