package metric

import (
	"io"
	"strconv"
	"testing"
	"time"
)

func BenchmarkCounterAdd(b *testing.B) {
	c := NewSet(4).Counter("n_total", "N.")
	for b.Loop() {
		c.Add(1, 1)
	}
}

func BenchmarkHistogramObserve(b *testing.B) {
	h := NewSet(4).Histogram("d_seconds", "D.")
	d := time.Duration(0)
	for b.Loop() {
		h.Observe(1, d)
		d = (d + 12345) % time.Second
	}
}

func BenchmarkWriteText1000Sites(b *testing.B) {
	s := NewSet(4)
	for i := range 1000 {
		l := Label{"site", "site-" + strconv.Itoa(i)}
		s.Counter("n_total", "N.", l)
		s.Histogram("d_seconds", "D.", l).Observe(0, time.Second)
	}
	for b.Loop() {
		s.WriteText(io.Discard)
	}
}
