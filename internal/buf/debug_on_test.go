//go:build bufdebug

package buf

import (
	"strings"
	"testing"
)

// panics reports whether fn panics with a text that contains want.
func panics(t *testing.T, want string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if text, _ := recover().(string); !strings.Contains(text, want) {
			t.Errorf("it says %q, want %q", text, want)
		}
	}()
	fn()
}

func TestPutPanicsAtTheSecondTime(t *testing.T) {
	var p Pool
	a, b := p.Get(Small), p.Get(Small)
	p.Put(a)
	p.Put(b)
	panics(t, "given back twice", func() { p.Put(a) })
	p.Get(Small) // the pool's lock is free
}

func TestGetPanicsIfAFreeBlockWasWrittenTo(t *testing.T) {
	var p Pool
	b := p.Get(Small)
	p.Put(b)
	b[100] = 1
	panics(t, "written to", func() { p.Get(Small) })
}

func TestWhatWasGivenBackReadsAsDead(t *testing.T) {
	var p Pool
	b := p.Get(Small)
	copy(b, "secret")
	p.Put(b)
	var s Scratch
	text := s.String("secret")
	s.Reset()
	if string(b[:6]) != strings.Repeat("\xDB", 6) || string(text) != strings.Repeat("\xDB", 6) {
		t.Errorf("%q, %q", b[:6], text)
	}
}

func TestFreePanicsAtTheSecondPut(t *testing.T) {
	var f Free[int]
	var p Pool
	v := new(int)
	f.Put(&p, v)
	panics(t, "given back twice", func() { f.Put(&p, v) })
}
