package metric

import (
	"math"
	"sync/atomic"
)

// lineCells is how many cells lie together for one loop: 128 bytes, two cache lines, because processors fetch lines in pairs.
// The cells of one loop may share a line; only cells of different loops must not.
const lineCells = 16

// cells is one number kept apart for each loop: the cell of shard i is at i*lineCells. It holds one column of a page.
type cells struct {
	column []atomic.Int64
	mask   int // number of shards - 1
}

// A page is memory for lineCells series: a line for each shard. Series made together, such as those of one site, lie together, and so are freed together:
// columns of dropped series are not used again, because a running exchange may still add to them.
type page struct {
	memory []atomic.Int64
	used   int // columns
}

// newCellsLocked returns the next free column. The caller must hold s.mu.
func (s *Set) newCellsLocked() cells {
	if s.page.memory == nil || s.page.used == lineCells {
		// A power of two of bytes: the allocator aligns it to its size, up to a page.
		s.page = page{memory: make([]atomic.Int64, s.shards*lineCells)}
	}
	i := s.page.used
	s.page.used++
	return cells{s.page.memory[i : (s.shards-1)*lineCells+i+1], s.shards - 1}
}

func (c *cells) add(shard int, n int64) { c.column[(shard&c.mask)*lineCells].Add(n) }

func (c *cells) sum() int64 {
	n := int64(0)
	for i := 0; i < len(c.column); i += lineCells {
		n += c.column[i].Load()
	}
	return n
}

// A Counter is a number that only grows.
type Counter struct{ cells cells }

// Add adds n, which must not be negative. shard is the number of the caller's loop. BenchmarkCounterAdd.
func (c *Counter) Add(shard int, n int64) { c.cells.add(shard, n) }

// Value returns the sum over all loops.
func (c *Counter) Value() int64 { return c.cells.sum() }

func (c *Counter) appendTo(dst []byte, _ Format, name, labels string) []byte {
	return appendSample(dst, name, labels, float64(c.Value()))
}

// A Gauge is a number that goes up and down. Of Add and Set, use one on each gauge.
type Gauge struct{ cells cells }

// Add adds n, which may be negative. What one loop adds another one may take away. shard is the number of the caller's loop.
func (g *Gauge) Add(shard int, n int64) { g.cells.add(shard, n) }

// Set makes n the value.
func (g *Gauge) Set(n int64) { g.cells.column[0].Store(n) }

// Value returns the sum over all loops.
func (g *Gauge) Value() int64 { return g.cells.sum() }

func (g *Gauge) appendTo(dst []byte, _ Format, name, labels string) []byte {
	return appendSample(dst, name, labels, float64(g.Value()))
}

// A function is a metric that is asked when it is read.
type function struct {
	f atomic.Pointer[func() float64]
}

// appendTo writes nothing where there is nothing to tell: NaN says so, and between look-up and Store there is no function.
func (m *function) appendTo(dst []byte, _ Format, name, labels string) []byte {
	f := m.f.Load()
	if f == nil {
		return dst
	}
	if v := (*f)(); !math.IsNaN(v) {
		dst = appendSample(dst, name, labels, v)
	}
	return dst
}

// A constant is a metric that is always 1: its labels tell something.
type constant struct{}

func (constant) appendTo(dst []byte, _ Format, name, labels string) []byte {
	return appendSample(dst, name, labels, 1)
}
