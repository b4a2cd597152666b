package tracecontext

import (
	"regexp"
	"strings"
	"testing"
)

// The grammars of the recommendation as regular expressions: a second parser for each.
var (
	parentGrammar = regexp.MustCompile(`^(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?s:-.*)?)$`)
	noParent      = regexp.MustCompile(`^(ff|00-.{55}|..-0{32}|..-.{32}-0{16})`)
	memberGrammar = regexp.MustCompile(`^[a-z0-9][-a-z0-9_*/@]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]$`)
)

func FuzzParent(f *testing.F) {
	f.Add(example)
	f.Add("cc" + example[2:] + "-more")
	f.Add("00-00000000000000000000000000000000-00f067aa0ba902b7-01")
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := ParseParent([]byte(text))
		want := parentGrammar.MatchString(text) && !noParent.MatchString(text) && (text[:2] != "00" || len(text) == ParentBytes)
		if ok != want {
			t.Fatalf("%q: taken %v, should be %v", text, ok, want)
		}
		if !ok {
			return
		}
		again, ok := ParseParent(p.Append(nil))
		if !ok || again != p || string(p.Append(nil))[2:53] != text[2:53] {
			t.Fatalf("%q is handed on as %s", text, p.Append(nil))
		}
	})
}

func FuzzState(f *testing.F) {
	f.Add("a=1,b=2", "c=3")
	f.Add("a=1, ,b=2", "a=3")
	f.Add(many(40), "")
	f.Add(strings.Repeat("a", 250)+"="+strings.Repeat("b", 250), "c="+strings.Repeat("d", 200))
	f.Fuzz(func(t *testing.T, first, second string) {
		got, ok := stateOf(first, second)
		seen, want := map[string]bool{}, true
		var members []string
		for _, m := range strings.Split(first+","+second, ",") {
			if m = strings.Trim(m, " \t"); m == "" {
				continue
			}
			key, _, _ := strings.Cut(m, "=")
			want = want && memberGrammar.MatchString(m) && !seen[key]
			seen[key] = true
			members = append(members, m)
		}
		if want = want && len(members) <= membersMax; ok != want {
			t.Fatalf("%q %q: taken %v, should be %v", first, second, ok, want)
		}
		if !ok {
			return
		}
		all := strings.Join(members, ",")
		if len(got) > StateBytesMax || len(all) <= StateBytesMax && got != all {
			t.Fatalf("%q is handed on as %q", all, got)
		}
		for _, m := range strings.Split(got, ",") { // what is left is in order
			i := strings.Index(all, m)
			if i < 0 {
				t.Fatalf("%q comes from nowhere", m)
			}
			all = all[i:]
		}
	})
}
