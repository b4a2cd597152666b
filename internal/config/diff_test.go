package config_test

import (
	"strings"
	"testing"

	"sluice/internal/config"
)

// diffOf returns the changes between two files, one in each line.
func diffOf(prev, next string) string {
	var all []string
	for _, c := range config.Diff(parsed(prev), parsed(next)) {
		all = append(all, c.String())
	}
	return strings.Join(all, "\n")
}

func TestDiffNamesWhatDiffers(t *testing.T) {
	f := func(prev, next, want string) {
		t.Helper()
		if got := diffOf(prev, next); got != want {
			t.Errorf("from %q\nto   %q\ngot\n%s\nwant\n%s", prev, next, got, want)
		}
	}
	f("a: 1", "a: 1", "")
	f("a: { b: 1, c: 2 }", "a: { c: 2, b: 1 }", "") // the order of keys says nothing
	f("a: 1", "a: 2", "~ a: 1 → 2")
	f("a: 1", "a: '1'", `~ a: 1 → "1"`)
	f("a: off", "a: 'off'", `~ a: off → "off"`)
	f("a: x.test", "a: 'x.test'", "")
	f("to: [10.0.0.1:80, /x]", `{ "to": ["10.0.0.1:80", "/x"] }`, "")
	f("a: { b: 1, c: 2, d: 3 }", "a: { c: 2, e: 4, d: 5 }", "- a › b: 1\n+ a › e: 4\n~ a › d: 3 → 5")
	f("a: { b: 1 }", "a: [1]", "~ a: { b: 1 } → [1]")
	f("a:\n", "a: x", "~ a: null → x")
	f("", "a: x", "+ : { a: x }")
	f("a: x", "", "- : { a: x }")
	f("s: [10.0.0.1:80, 10.0.0.2:80]", "s: [10.0.0.1:80, 10.0.0.3:80, 10.0.0.2:80]", "+ s › 10.0.0.3:80")
	f("s: [a, b, c]", "s: [c, a]", "- s › b")
	f("s: [a, b]", "s: [b, a]", "~ s: [a, b] → [b, a]")
	f("s: [{ address: a, weight: 1 }, b]", "s: [{ address: a, weight: 2 }, b]", "~ s › a › weight: 1 → 2")
	f("r: [{ match: /a, to: x }, { match: { path: /b, method: GET }, to: y }]", "r: [{ match: /new, to: z }, { match: /a, to: x }, { match: { path: /b, method: GET }, to: z }]",
		"+ r › /new: { match: /new, to: z }\n~ r › { path: /b, method: GET } › to: y → z")
	f("r: [{ match: /a, to: x }, { match: /a, to: y }]", "r: [{ match: /a, to: x }, { match: /a, to: z }]", "~ r › 2 › to: y → z")
	f("r: [{ match: /a, to: x }]", "r: [{ to: x, match: /a }]", "")
	f("r: [{ to: x }]", "r: [{ to: x }, { to: y }]", "+ r › 2: { to: y }")
}

func TestDiffShowsNoSecrets(t *testing.T) {
	of := func(value string) *config.Node {
		src := config.Files(map[string]string{"x": `{ "a": "k ${KEY}", "b": 1 }`}, map[string]string{"KEY": value})
		return (&config.Decoder{}).Parse(src, "x")
	}
	changes := config.Diff(of("hunter2"), of("hunter3"))
	if len(changes) != 1 || changes[0].String() != `~ a: "k ${KEY}" → (another value)` {
		t.Error(changes)
	}
}

func TestATextIsReadAsIfItStoodInAFolder(t *testing.T) {
	files := config.Files(map[string]string{
		"/etc/s/sites/a.yaml": "sites: { http://a: { to: p } }", "/etc/s/key": "10.0.0.1:80\n", "/etc/s/new.yaml": "not this one",
	}, nil)
	d := &config.Decoder{}
	text := "include: sites/*.yaml\npools: { p: { servers: ['${file:key}'] } }\nsites: { http://b: { to: q } }\n"
	config.Load(d, files.In("/etc/s", "new.yaml", []byte(text)), "new.yaml")
	if len(d.Diagnostics) != 1 || d.Diagnostics[0].Code != "unknown-pool" || d.Diagnostics[0].Pos.File != "new.yaml" {
		t.Error(d.Diagnostics)
	}
}
