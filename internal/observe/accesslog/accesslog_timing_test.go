package accesslog

import (
	"testing"

	"sluice/internal/observe/metric"
)

func BenchmarkAppendLine(b *testing.B) {
	x := newExchange()
	var s stamp
	line := appendLine(nil, x, nil, &s)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		line = appendLine(line[:0], x, nil, &s)
	}
}

func BenchmarkRecord(b *testing.B) {
	l, err := New(Settings{File: "/dev/null"}, 1, metric.NewSet(1))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	x := newExchange()
	b.ReportAllocs()
	for b.Loop() {
		l.Record(x)
	}
}
