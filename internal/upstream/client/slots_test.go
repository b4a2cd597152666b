package client

import (
	"slices"
	"testing"

	"sluice/internal/loop"
)

// Who waits gets what a higher limit or none allows; what is open above a lower one is given to nobody.
func TestALimitThatChanges(t *testing.T) {
	d := loop.NewGoroutines(nil)
	defer d.Stop()
	var s slots
	var waiters []*waiter
	reserve := func() {
		if w, ok := s.reserve(d); !ok {
			waiters = append(waiters, w)
		}
	}
	want := func(what string, open int64, granted ...bool) {
		t.Helper()
		var got []bool
		for _, w := range waiters {
			got = append(got, w.granted)
		}
		if s.open.Load() != open || !slices.Equal(got, granted) {
			t.Errorf("%s: %d open, granted %v; want %d, %v", what, s.open.Load(), got, open, granted)
		}
	}
	reserve()
	reserve()
	s.setLimit(1)
	reserve()
	reserve()
	reserve()
	want("a lower limit", 2, false, false, false)
	s.release()
	want("still as many as there may be", 1, false, false, false)
	s.release()
	want("one has ended", 1, true, false, false)
	s.setLimit(2)
	want("a higher limit", 2, true, true, false)
	s.setLimit(0)
	want("no limit", 3, true, true, true)
}
