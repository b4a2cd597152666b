package metric

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzNegotiate holds that empty parts, spaces and a further media type that is not ours decide nothing.
func FuzzNegotiate(f *testing.F) {
	f.Add("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2")
	f.Add("text/plain;q=0.1;q=0.2,application/*")
	f.Add(`application/openmetrics-text;version="1.0.0\"",;q=`)
	f.Fuzz(func(t *testing.T, accept string) {
		want := Negotiate(accept)
		for _, same := range []string{", " + accept, accept + " ,", "image/png;q=1," + accept} {
			if got := Negotiate(same); got != want {
				t.Errorf("%q gets %s, %q gets %s", accept, want.ContentType(), same, got.ContentType())
			}
		}
	})
}

// FuzzEscapes holds that a reader of each format gets back the label values and the help that were put in, and that neither can add a line.
func FuzzEscapes(f *testing.F) {
	f.Add("a", "b")
	f.Add("\\\n\"\xff", "\\n\"} 1\n# EOF")
	f.Add(`",other="`, `\`)
	f.Add("a\r\u2028\x00b", "\\\\n")
	f.Fuzz(func(t *testing.T, value, help string) {
		s := NewSet(1)
		s.Gauge("g", help, Label{"first", value}, Label{"second", "x"}).Set(3)
		for _, format := range []Format{Text, OpenMetrics} {
			var b bytes.Buffer
			if err := s.Write(&b, format); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(b.String(), "# EOF\n"), "\n")
			if len(lines) != 4 || lines[1] != "# TYPE g gauge" || lines[3] != "" {
				t.Fatalf("%q", b.String())
			}
			got, ok := strings.CutPrefix(lines[0], "# HELP g ")
			if got = unescape(got, format == OpenMetrics); !ok || got != help {
				t.Errorf("help %q is read as %q", help, got)
			}
			got, ok = strings.CutPrefix(lines[2], `g{first="`)
			got, after := cutQuoted(got)
			if got = unescape(got, true); !ok || after != `,second="x"} 3` || got != strings.ToValidUTF8(value, "\uFFFD") {
				t.Errorf("label %q is read as %q, and then %q", value, got, after)
			}
		}
	})
}

// cutQuoted returns what is before the first quote that has no backslash of its own, and what is after it.
func cutQuoted(s string) (quoted, after string) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[:i], s[i+1:]
		}
	}
	return s, "no quote"
}

// unescape reads an escaped string byte by byte. quotes says that quotes are escaped, too.
func unescape(s string, quotes bool) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
			switch {
			case s[i] == 'n':
				b.WriteByte('\n')
			case s[i] == '\\' || quotes && s[i] == '"':
				b.WriteByte(s[i])
			default:
				return "a bad escape: " + s
			}
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
