package query

import (
	"bytes"
	"net/url"
	"testing"
)

// FuzzQuery compares with net/url where that takes the text, and looks whether what is encoded is found again.
func FuzzQuery(f *testing.F) {
	f.Add([]byte("a=1&b=%20+x&c"), "b")
	f.Add([]byte("%"), "%")
	f.Fuzz(func(t *testing.T, q []byte, text string) {
		if e := AppendEncoded(nil, text); !Is(e, text) || string(AppendDecoded(nil, e)) != text {
			t.Fatalf("%q is lost in %q", text, e)
		}
		length := 0
		for rest := q; len(rest) > 0; {
			var p Param
			p, rest = Next(rest)
			length += len(p.Raw) + 1
			decoded := AppendDecoded(nil, p.Name)
			if !Is(p.Name, string(decoded)) || IsPlain(p.Name) && !bytes.Equal(decoded, p.Name) {
				t.Fatalf("%q is not %q", p.Name, decoded)
			}
			if want, err := url.QueryUnescape(string(p.Name)); err == nil && want != string(decoded) {
				t.Fatalf("%q: got %q, net/url %q", p.Name, decoded, want)
			}
		}
		if length != len(q) && length != len(q)+1 {
			t.Fatalf("%q: parameters cover %d bytes", q, length)
		}
	})
}
