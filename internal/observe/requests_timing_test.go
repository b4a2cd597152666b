package observe

import (
	"testing"

	"sluice/internal/observe/metric"
)

func BenchmarkRequestsFinish(b *testing.B) {
	f := NewMetrics(metric.NewSet(2)).Site("a")
	x := newExchange(200)
	for b.Loop() {
		f.Finish(x)
	}
}
