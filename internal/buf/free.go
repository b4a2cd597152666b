package buf

import (
	"slices"
	"sync"
)

// freeMax is how many values a Free list keeps.
const freeMax = 4096

// A Free keeps values of a codec for reuse, last in first out. One belongs to each driver; its methods may be called from several goroutines.
type Free[T any] struct {
	mu   sync.Mutex
	list []*T     // guarded by mu
	_    [64]byte // keeps the lists of two loops apart
}

// Get returns a value that was put back, or nil.
func (f *Free[T]) Get() *T {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.list)
	if n == 0 {
		return nil
	}
	v := f.list[n-1]
	f.list[n-1] = nil
	f.list = f.list[:n-1]
	return v
}

// Put keeps v, which nothing may use any more.
func (f *Free[T]) Put(v *T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if Debug && slices.Contains(f.list, v) {
		panic("buf: a value was given back twice")
	}
	if len(f.list) < freeMax {
		f.list = append(f.list, v)
	}
}
