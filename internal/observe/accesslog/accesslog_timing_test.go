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

func BenchmarkAppendCombined(b *testing.B) {
	x := newExchange()
	var s stamp
	line := appendCombined(nil, x, inFull, &s)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		line = appendCombined(line[:0], x, inFull, &s)
	}
}

func BenchmarkAppendHashed(b *testing.B) {
	st := newStyle(Settings{Addresses: Hashed}, hashKey("key"))
	addr := newExchange().Client.Addr
	var text []byte
	b.ReportAllocs()
	for b.Loop() {
		text = st.appendAddr(text[:0], addr)
	}
}

// BenchmarkRuleTakes is what an exchange costs that sampling leaves out.
func BenchmarkRuleTakes(b *testing.B) {
	r := Config{Sample: 0.01, Always: []Status{"5xx"}, Only: Only{Path: []string{"/shop/*"}}}.compile()
	x := newExchange()
	x.Request.MatchPath = []byte("/shop/items")
	var d dice
	b.ReportAllocs()
	for b.Loop() {
		r.takes(x, &d)
	}
}
