package accesslog

import (
	"testing"

	"sluice/internal/observe/logfile"
	"sluice/internal/observe/metric"
)

func BenchmarkAppendJSON(b *testing.B) {
	x := newExchange()
	var s stamp
	line := appendJSON(nil, x, inFull, &s)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		line = appendJSON(line[:0], x, inFull, &s)
	}
}

func BenchmarkRecord(b *testing.B) {
	l, err := New(Settings{To: logfile.Disk{Path: "/dev/null"}}, Reports{}, 1, metric.NewSet(1))
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
