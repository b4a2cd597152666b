package template

import "testing"

func BenchmarkAppend(b *testing.B) {
	x := exchangeOf("http://a.example/a/b/c?next=%2Fx", "X-A: 1")
	for name, tmpl := range map[string]*Template{
		"field": Must(RequestField, "{client_ip} {header.X-A} {query.next}"), "location": Must(Location, "https://{host}/new{uri}"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tmpl.Append(x.Scratch.Tail(0), x, Captures{})
			}
		})
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	x := exchangeOf("http://a.example/a/b/c?next=%2Fx", "X-A: 1")
	field, location := Must(RequestField, "{client_ip} {header.X-A} {query.next}"), Must(Location, "https://{host}/new{uri}?{query.next}")
	if n := testing.AllocsPerRun(100, func() {
		field.Value(x)
		location.Value(x)
		x.Scratch.Reset()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
