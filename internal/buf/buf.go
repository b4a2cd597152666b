// Package buf holds pooled bytes: blocks for reading and writing, and the scratch memory of an exchange.
//
// A block is held only while it holds bytes, and is given back before a wait for more: that is what keeps a hundred thousand idle connections small.
// A Pool belongs to one driver (loop). Build tag bufdebug overwrites what is given back and panics when a block is given back twice.
package buf

import "sync"

// Sizes of blocks, in bytes. Get rounds up to one of them.
const (
	Small  = 4 << 10
	Medium = 16 << 10
	Large  = 64 << 10
	Huge   = 256 << 10
)

var classes = [...]int{Small, Medium, Large, Huge}

// keepBytes is how many bytes of free blocks each class keeps for reuse; what is given back beyond it is left to the garbage collector.
const keepBytes = 4 << 20

// A Pool keeps free blocks, last in first out, so that the warm ones are used again. Its methods may be called from several goroutines, unless it is Unshared.
type Pool struct {
	unshared bool
	mu       sync.Mutex
	free     [len(classes)][][]byte // guarded by mu
}

// Unshare says that one goroutine at a time uses p, as the coroutines of a loop do, and all Free lists with it: a dozen locks less for each exchange.
// It is called before p is used.
func (p *Pool) Unshare() { p.unshared = true }

func (p *Pool) lock() {
	if !p.unshared {
		p.mu.Lock()
	}
}

func (p *Pool) unlock() {
	if !p.unshared {
		p.mu.Unlock()
	}
}

// Get returns a block of at least n bytes, with len equal to cap. A size above Huge is allocated and not pooled.
func (p *Pool) Get(n int) []byte {
	c := class(n)
	if c < 0 {
		return make([]byte, n)
	}
	p.lock()
	free := p.free[c]
	if len(free) == 0 {
		p.unlock()
		return make([]byte, classes[c])
	}
	b := free[len(free)-1]
	free[len(free)-1] = nil
	p.free[c] = free[:len(free)-1]
	p.unlock()
	onGet(b)
	return b
}

// Put gives back a block that Get returned. Nothing may use it afterwards. A nil block is ignored.
func (p *Pool) Put(b []byte) {
	b = b[:cap(b)]
	c := class(len(b))
	if len(b) == 0 || c < 0 || classes[c] != len(b) {
		return
	}
	p.lock()
	defer p.unlock()
	onPut(b, p.free[c])
	if len(p.free[c])*classes[c] < keepBytes {
		p.free[c] = append(p.free[c], b)
	}
}

func class(n int) int {
	for i, size := range classes {
		if n <= size {
			return i
		}
	}
	return -1
}
