package observe

import (
	"testing"
	"time"

	"sluice/internal/observe/metric"
)

func BenchmarkRequestsFinish(b *testing.B) {
	f := NewMetrics(metric.NewSet(2)).Site("a")
	x := newExchange(200)
	for b.Loop() {
		f.Finish(x)
	}
}

func BenchmarkPoolAttempted(b *testing.B) {
	p := NewMetrics(metric.NewSet(2)).Pool("a")
	x := attempt(0, 3*time.Millisecond, true)
	for b.Loop() {
		p.Attempted(x)
	}
}
