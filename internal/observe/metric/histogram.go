package metric

import (
	"math"
	"math/bits"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Buckets are log-linear: stepCount in each power of ten, from 10 µs to 100 s. That tells a quantile within 20 %.
const (
	stepCount   = 8
	decadeCount = 7
	boundCount  = stepCount*decadeCount + 1
	bucketCount = boundCount + 1 // the last one has no bound
)

// bounds are the upper bounds of the buckets, in nanoseconds, each part of its bucket.
var bounds = makeBounds()

// firstBound[n] is the first bound that a number of n bits can be under: where a search begins.
var firstBound = makeFirstBound()

func makeBounds() (b [boundCount]uint64) {
	// Tenths of the decade. 1, 2 and 5 are those that are written, see isWritten.
	steps := [stepCount]uint64{10, 15, 20, 30, 40, 50, 60, 80}
	unit := uint64(time.Microsecond)
	for i := range b {
		b[i] = steps[i%stepCount] * unit
		if i%stepCount == stepCount-1 {
			unit *= 10
		}
	}
	return b
}

func makeFirstBound() (first [65]uint8) {
	for n := range first {
		least := uint64(0)
		if n > 0 {
			least = 1 << (n - 1)
		}
		for first[n] < boundCount && bounds[first[n]] < least {
			first[n]++
		}
	}
	return first
}

// isWritten says whether the bound is one of 1, 2 and 5 times a power of ten: all buckets would make the text four times as long, and nobody writes an
// alert for 15 ms.
func isWritten(bound int) bool {
	step := bound % stepCount
	return step == 0 || step == 2 || step == 5
}

// A Histogram counts durations by size. A loop's buckets are made at its first observation, so that a site without traffic costs next to nothing.
type Histogram struct {
	shards []atomic.Pointer[buckets]
	mask   int
}

// buckets are those of one loop: bucketCount counts and the sum, filled up to 512 bytes so that two loops never share a cache line.
type buckets struct {
	counts [bucketCount]atomic.Int64
	sum    atomic.Int64 // µs: nanoseconds would overflow after a day of 100,000 open exchanges
	_      [512/8 - bucketCount - 1]int64
}

func newHistogram(shards int) *Histogram {
	return &Histogram{make([]atomic.Pointer[buckets], shards), shards - 1}
}

// Observe counts d. shard is the number of the caller's loop. BenchmarkHistogramObserve.
func (h *Histogram) Observe(shard int, d time.Duration) {
	p := &h.shards[shard&h.mask]
	b := p.Load()
	if b == nil {
		p.CompareAndSwap(nil, new(buckets))
		b = p.Load()
	}
	b.counts[bucketOf(d)].Add(1)
	b.sum.Add(int64(max(d, 0) / time.Microsecond))
}

// bucketOf returns the index of the bucket that d falls into: two or three comparisons.
func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0))
	i := int(firstBound[bits.Len64(n)])
	for i < boundCount && n > bounds[i] {
		i++
	}
	return i
}

// Read returns what has been observed so far.
func (h *Histogram) Read() Distribution {
	var d Distribution
	for i := range h.shards {
		b := h.shards[i].Load()
		if b == nil {
			continue
		}
		for j := range b.counts {
			d.counts[j] += b.counts[j].Load()
		}
		d.sum += b.sum.Load()
	}
	return d
}

// A Distribution is what a histogram held at one moment.
type Distribution struct {
	counts [bucketCount]int64
	sum    int64 // µs
}

// Sub returns what came since earlier.
func (d Distribution) Sub(earlier Distribution) Distribution {
	for i := range d.counts {
		d.counts[i] -= earlier.counts[i]
	}
	d.sum -= earlier.sum
	return d
}

// Add returns what both held together: of several sites, for one.
func (d Distribution) Add(other Distribution) Distribution {
	for i := range d.counts {
		d.counts[i] += other.counts[i]
	}
	d.sum += other.sum
	return d
}

// Mean returns the mean duration, exact within a microsecond; 0 without observations.
func (d Distribution) Mean() time.Duration {
	n := d.Count()
	if n == 0 {
		return 0
	}
	return time.Duration(d.sum/n) * time.Microsecond
}

// Count returns the number of observations.
func (d Distribution) Count() int64 {
	n := int64(0)
	for _, c := range d.counts {
		n += c
	}
	return n
}

// Quantile returns the duration that a part q of the observations, from 0 to 1, does not exceed: exact within its bucket's width, and at most 100 s, the
// last bound. It is 0 without observations.
func (d Distribution) Quantile(q float64) time.Duration {
	rank := max(1, int64(math.Ceil(q*float64(d.Count()))))
	below, low := int64(0), uint64(0)
	for i := range bounds {
		if c := d.counts[i]; below+c >= rank {
			part := float64(rank-below) / float64(c)
			return time.Duration(low) + time.Duration(part*float64(bounds[i]-low))
		}
		below += d.counts[i]
		low = bounds[i]
	}
	if below == d.Count() {
		return 0
	}
	return time.Duration(low)
}

// written are the upper bounds, in seconds, as they stand in each format. In OpenMetrics whole numbers look like 1.0.
var written = makeWritten()

func makeWritten() (all [len(formats)][boundCount]string) {
	for i, b := range bounds {
		text := strconv.FormatFloat(float64(b)/1e9, 'g', -1, 64)
		all[Text][i], all[OpenMetrics][i] = text, text
		if !strings.ContainsAny(text, ".e") {
			all[OpenMetrics][i] = text + ".0"
		}
	}
	return all
}

// appendTo writes nothing before the first observation: of 10,000 sites and pools many have no traffic, and 25 lines of zeros each would be most of the text.
func (h *Histogram) appendTo(dst []byte, f Format, name, labels string) []byte {
	d := h.Read()
	if d.Count() == 0 {
		return dst
	}
	comma := ""
	if labels != "" {
		comma = ","
	}
	n := int64(0)
	for i := range bounds {
		n += d.counts[i]
		if isWritten(i) {
			dst = appendSample(dst, name+"_bucket", labels+comma+`le="`+written[f][i]+`"`, float64(n))
		}
	}
	n += d.counts[boundCount]
	dst = appendSample(dst, name+"_bucket", labels+comma+`le="+Inf"`, float64(n))
	dst = appendSample(dst, name+"_sum", labels, float64(d.sum)/1e6)
	return appendSample(dst, name+"_count", labels, float64(n))
}
