package buf

import "testing"

func BenchmarkGetAndPut(b *testing.B) {
	var p Pool
	b.ReportAllocs()
	for range b.N {
		p.Put(p.Get(Small))
	}
}

func BenchmarkScratch(b *testing.B) {
	var s Scratch
	b.ReportAllocs()
	for range b.N {
		s.String("a field's value of the usual length")
		s.Reset()
	}
}
