package query

import "testing"

func TestReadsParametersAsOriginsDo(t *testing.T) {
	q := []byte("a=1&b&=c&d=e=f&&%61=x+y%2")
	want := [][2]string{{"a", "1"}, {"b", ""}, {"", "c"}, {"d", "e=f"}, {"", ""}, {"a", "x y%2"}}
	for _, w := range want {
		var p Param
		p, q = Next(q)
		if name, value := string(AppendDecoded(nil, p.Name)), string(AppendDecoded(nil, p.Value)); name != w[0] || value != w[1] {
			t.Errorf("%q: got %q %q, want %q", p.Raw, name, value, w)
		}
	}
	if len(q) > 0 {
		t.Errorf("left %q", q)
	}
}

func TestComparesWhatSpellingsMean(t *testing.T) {
	f := func(written, text string, want bool) {
		t.Helper()
		if got := Is([]byte(written), text); got != want {
			t.Errorf("Is(%q, %q) = %v", written, text, got)
		}
	}
	f("debug", "debug", true)
	f("%64%65bug", "debug", true)
	f("a+b%20c", "a b c", true)
	f("%c3%BC", "ü", true)
	f("%", "%", true)
	f("%6", "%6", true)
	f("%6g", "%6g", true)
	f("", "", true)
	f("a", "", false)
	f("", "a", false)
	f("a", "A", false)
	f("ab", "a", false)
}

func TestEncodesAllButUnreserved(t *testing.T) {
	if got := string(AppendEncoded(nil, "a-Z_0.~ /&=+%ü\r\n")); got != "a-Z_0.~%20%2F%26%3D%2B%25%C3%BC%0D%0A" {
		t.Error(got)
	}
}
