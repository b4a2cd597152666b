package buf

import "slices"

// freeMax is how many values a Free list keeps.
const freeMax = 4096

// A Free keeps values of a codec for reuse, last in first out. One belongs to each driver, whose Pool guards it.
type Free[T any] struct {
	list []*T
	_    [64]byte // keeps the lists of two loops apart
}

// Get returns a value that was put back, or nil. p is the driver's.
func (f *Free[T]) Get(p *Pool) *T {
	p.lock()
	defer p.unlock()
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
func (f *Free[T]) Put(p *Pool, v *T) {
	p.lock()
	defer p.unlock()
	if Debug && slices.Contains(f.list, v) {
		panic("buf: a value was given back twice")
	}
	if len(f.list) < freeMax {
		f.list = append(f.list, v)
	}
}
