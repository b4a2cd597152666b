package trace

import (
	"context"
	"testing"
	"time"

	"sluice/internal/exchange/exchangetest"
	"sluice/internal/observe/metric"
	"sluice/internal/observe/otlp"
)

func BenchmarkSampled(b *testing.B) { benchmarkShare(b, 1) }

func BenchmarkNotSampled(b *testing.B) { benchmarkShare(b, 0) }

func benchmarkShare(b *testing.B, share float64) {
	tr := New(Options{Loops: 1, Set: metric.NewSet(1), Report: func(error) {}})
	defer tr.Close(context.Background())
	tr.Apply(Settings{Export: otlp.Settings{URL: "http://127.0.0.1:1/", QueueBytes: 64 << 10}, Traces: 1 << 40, Per: time.Second})
	f := NewFilter(tr, share, nobody)
	x := exchangetest.New("GET", "http://a.example/some/path")
	x.Notes.Site, x.Notes.Route, x.Notes.Endpoint = "a.example", "1 /some/*", "http://10.0.0.7:80"
	b.ReportAllocs()
	for b.Loop() {
		run(x, f, nil, nil)
	}
}
