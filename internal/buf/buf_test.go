package buf

import (
	"bytes"
	"slices"
	"sync"
	"testing"
)

func TestBlocksAreRoundedUpToTheirClass(t *testing.T) {
	var p Pool
	for n, want := range map[int]int{0: Small, 1: Small, Small: Small, Small + 1: Medium, Large - 1: Large, Large + 1: Huge, Huge: Huge, Huge + 1: Huge + 1} {
		if b := p.Get(n); len(b) != want || cap(b) != want {
			t.Errorf("Get(%d) has %d bytes, cap %d", n, len(b), cap(b))
		}
	}
}

func TestTheBlockGivenBackLastComesFirst(t *testing.T) {
	var p Pool
	a, b := p.Get(Small), p.Get(Small)
	p.Put(a)
	p.Put(b[:10]) // a part of it, as long as it begins at its start
	if got := p.Get(1); &got[0] != &b[0] || len(got) != Small {
		t.Error("not the last one, or not whole")
	}
	if got := p.Get(1); &got[0] != &a[0] {
		t.Error("not the one before")
	}
}

func TestWhatIsNoBlockIsNotKept(t *testing.T) {
	var p Pool
	for _, b := range [][]byte{nil, {}, make([]byte, 100), make([]byte, Huge+1), make([]byte, Small+1)} {
		p.Put(b)
	}
	for i, free := range p.free {
		if len(free) > 0 {
			t.Errorf("class %d has %d blocks", i, len(free))
		}
	}
}

func TestAPoolKeepsNoMoreThanItsBytes(t *testing.T) {
	var p Pool
	for i, size := range classes {
		for range keepBytes/size + 5 {
			p.Put(make([]byte, size))
		}
		if got := len(p.free[i]) * size; got != keepBytes {
			t.Errorf("class of %d keeps %d bytes", size, got)
		}
	}
}

func TestAPoolIsForSeveralGoroutines(t *testing.T) {
	var p Pool
	var all sync.WaitGroup
	for id := range byte(8) {
		all.Go(func() {
			for range 500 {
				b := p.Get(Small)
				for i := range b {
					b[i] = id
				}
				if bytes.Count(b, []byte{id}) != len(b) {
					t.Error("a block has two owners")
				}
				p.Put(b)
			}
		})
	}
	all.Wait()
}

// With build tag bufdebug misuse panics.
func TestMisuseShowsInDebugBuilds(t *testing.T) {
	if !Debug {
		t.Skip("needs build tag bufdebug")
	}
	panics := func(name string, misuse func(p *Pool, b []byte)) {
		defer func() {
			if recover() == nil {
				t.Errorf("%s: no panic", name)
			}
		}()
		var p Pool
		b := p.Get(Small)
		p.Put(b)
		misuse(&p, b)
	}
	panics("given back twice", func(p *Pool, b []byte) { p.Put(b) })
	panics("written to after it was given back", func(p *Pool, b []byte) { b[77] = 'x'; p.Get(Small) })
	var s Scratch
	text := s.String("borrowed")
	s.Reset()
	if string(text) == "borrowed" {
		t.Error("a scratch keeps its bytes after Reset")
	}
}

func TestScratchKeepsWhatItReturnedInPlace(t *testing.T) {
	var s Scratch
	var all [][]byte
	var want []string
	for i := range 300 {
		text := string(slices.Repeat([]byte{byte('a' + i%26)}, i))
		switch i % 3 {
		case 0:
			all = append(all, s.String(text))
		case 1:
			all = append(all, s.Copy([]byte(text)))
		default:
			all = append(all, s.Commit(append(s.Tail(i), text...)))
		}
		want = append(want, text)
	}
	for i, b := range all {
		if string(b) != want[i] {
			t.Fatalf("%d has become %q", i, b)
		}
		if cap(b) != len(b) {
			t.Fatalf("%d has room to grow into its neighbour", i)
		}
	}
}

func TestScratchCommitsOnlyWhatLiesInIt(t *testing.T) {
	var s Scratch
	tail := s.Tail(4)
	outgrown := append(append(tail, make([]byte, cap(tail))...), 'x') // append has moved it elsewhere
	if b := s.Commit(outgrown); len(b) != len(outgrown) || len(s.block) != 0 {
		t.Error("bytes that lie elsewhere use up the scratch")
	}
	if s.Commit(nil) != nil || s.Commit([]byte("constant")) == nil || len(s.block) != 0 {
		t.Error("a foreign slice uses up the scratch")
	}
	if b := s.Alloc(0); len(b) != 0 || len(s.block) != 0 {
		t.Error("no bytes use up the scratch")
	}
}

func TestScratchForgetsLargeBlocks(t *testing.T) {
	var s Scratch
	s.Alloc(scratchBytes + 1)
	s.Reset()
	if s.block != nil {
		t.Error("a large block is kept")
	}
	first := s.Alloc(1)
	s.Reset()
	if second := s.Alloc(1); &first[0] != &second[0] {
		t.Error("a small block is not used again")
	}
	if n := testing.AllocsPerRun(100, func() { s.Alloc(100); s.String("x"); s.Reset() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAFreeListIsLastInFirstOut(t *testing.T) {
	var f Free[int]
	if f.Get() != nil {
		t.Error("an empty list has a value")
	}
	a, b := new(int), new(int)
	f.Put(a)
	f.Put(b)
	if f.Get() != b || f.Get() != a || f.Get() != nil {
		t.Error("wrong order")
	}
	for range freeMax + 10 {
		f.Put(new(int))
	}
	if len(f.list) != freeMax {
		t.Errorf("keeps %d", len(f.list))
	}
}
