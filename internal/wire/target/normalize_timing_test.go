package target

import "testing"

func BenchmarkNormalize(b *testing.B) {
	for _, bench := range []struct{ name, path string }{
		{"normal", "/products/garden/chairs/index.html"},
		{"encoded", "/products/caf%C3%A9/chairs%20and%20tables"},
		{"changed", "/products/./garden/../%7Echairs/index.html"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			path, room := []byte(bench.path), make([]byte, 0, 128)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Normalize(room, path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	in := []byte("/products/garden/chairs?page=2&sort=price")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("GET", in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckHost(b *testing.B) {
	in := []byte("shop.example.com:8443")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := CheckHost(in); !ok {
			b.Fatal("refused")
		}
	}
}
