package exchange

import "testing"

func BenchmarkLookupName(b *testing.B) {
	for _, name := range []string{"User-Agent", "user-agent", "X-Unknown-Name"} {
		b.Run(name, func(b *testing.B) {
			n := []byte(name)
			for b.Loop() {
				LookupName(n)
			}
		})
	}
}

// BenchmarkFields is what happens to the fields of a usual request: ten come, three are set, four dropped, some asked for.
func BenchmarkFields(b *testing.B) {
	names := [][]byte{
		[]byte("Host"), []byte("User-Agent"), []byte("Accept"), []byte("Accept-Encoding"), []byte("Accept-Language"), []byte("Connection"), []byte("Cookie"),
		[]byte("Referer"), []byte("X-Custom"), []byte("Sec-Fetch-Mode"),
	}
	value := []byte("value")
	var f Fields
	b.ReportAllocs()
	for b.Loop() {
		f.Reset()
		for _, name := range names {
			f.AddNamed(name, value)
		}
		f.Set(FieldVia, value)
		f.Set(FieldXForwardedFor, value)
		f.Set(FieldXRealIP, value)
		f.DelFunc(func(l *Field) bool { return l.ID == FieldConnection || l.ID == FieldHost })
		f.Del(FieldProxyConnection)
		_ = f.HasToken(FieldTE, "trailers")
		_ = f.Get(FieldCookie)
	}
}
