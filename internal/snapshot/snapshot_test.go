package snapshot_test

import (
	"sync"
	"testing"

	"sluice/internal/snapshot"
)

func TestBeforeTheFirstSnapshotThereIsNone(t *testing.T) {
	var c snapshot.Current
	if c.Load() != nil {
		t.Error("the zero value holds a snapshot")
	}
}

// Readers see whole generations, and never an older one after a newer one.
func TestGenerationsReplaceEachOtherWhole(t *testing.T) {
	var c snapshot.Current
	c.Store(&snapshot.Snapshot{Generation: 1, Listeners: make([]snapshot.Listener, 1)})
	const last = 1000
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			seen := uint64(0)
			for seen < last {
				s := c.Load()
				if s.Generation < seen || len(s.Listeners) != int(s.Generation) {
					t.Errorf("generation %d with %d listeners after %d", s.Generation, len(s.Listeners), seen)
					return
				}
				seen = s.Generation
			}
		})
	}
	for g := uint64(2); g <= last; g++ {
		c.Store(&snapshot.Snapshot{Generation: g, Listeners: make([]snapshot.Listener, g)})
	}
	all.Wait()
}
