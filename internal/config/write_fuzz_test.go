package config_test

import (
	"slices"
	"strings"
	"testing"

	"sluice/internal/config"
)

// same reports whether two trees say the same; places don't count.
func same(a, b *config.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || a.Value != b.Value || len(a.Items) != len(b.Items) || len(a.Entries) != len(b.Entries) {
		return false
	}
	for i := range a.Items {
		if !same(a.Items[i], b.Items[i]) {
			return false
		}
	}
	for i := range a.Entries {
		if a.Entries[i].Key.Value != b.Entries[i].Key.Value || !same(a.Entries[i].Value, b.Entries[i].Value) {
			return false
		}
	}
	return true
}

// typed reports whether all plain words of a that mean something else in quotes are without them in b, and the reverse.
func typed(a, b *config.Node) bool {
	if a.Kind == config.Scalar {
		switch strings.ToLower(a.Value) {
		case "", "off", "true", "false", "null", "~", "1", "0x1":
			return a.Quoted == b.Quoted
		}
	}
	for i := range a.Items {
		if !typed(a.Items[i], b.Items[i]) {
			return false
		}
	}
	for i := range a.Entries {
		if !typed(a.Entries[i].Value, b.Entries[i].Value) {
			return false
		}
	}
	return true
}

func parsed(text string) *config.Node {
	d := &config.Decoder{}
	n := d.Parse(config.Text("f", text), "f")
	if d.Failed() {
		return nil
	}
	return n
}

// saysOff reports whether a text of n is the word off in quotes, which JSON can't tell from off.
func saysOff(n *config.Node) bool {
	return n.Quoted && n.Value == "off" || slices.ContainsFunc(n.Items, saysOff) ||
		slices.ContainsFunc(n.Entries, func(e config.Entry) bool { return saysOff(e.Value) })
}

// FuzzWrittenTreesReadTheSame: what YAML writes is read as the tree that it was written from.
func FuzzWrittenTreesReadTheSame(f *testing.F) {
	for _, text := range []string{
		"a: 1\nb: [x, 'y z', \"q: r\"]\nc: { d: off, e: 'off' }\nf:\n- a: b\n  c:\n  - d\n- [1, [2]]\n- {}\n",
		"'*': '- a'\n'a #b': \"x\\ny\"\n? ''\n: '#'\n", "a: 'true'\nb: true\nc: '012'\nd: ''\ne:\nf: '~'\n", "a: |\n  x\n  y: z\n", "- {a: [], b: {}}\n", "x", "a: '$${B}'\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n := parsed(text)
		if n == nil {
			return
		}
		written := n.YAML()
		again := parsed(written)
		if n.Kind == config.Null && again == nil {
			return
		}
		if !same(n, again) || !typed(n, again) {
			t.Fatalf("%q was written as %q", text, written)
		}
		if n.Kind != config.Map || saysOff(n) {
			return
		}
		asJSON := string(n.JSON())
		if again := parsed(asJSON); !same(n, again) || !typed(n, again) {
			t.Fatalf("%q was written as %s", text, asJSON)
		}
	})
}

func TestMergedIsWhatIsInForce(t *testing.T) {
	src := config.Files(map[string]string{
		"sluice.yaml": "include: more.yaml\ndefaults: { timeouts: { idle: 7s } }\nsites:\n  http://a:\n    to: p\n    routes:\n    - match: /x\n      timeouts: { idle: 8s }\npools: { p: { servers: [\"${ADDRESS}\"] } }\n",
		"more.yaml":   "sites: { http://b: { to: 10.0.0.2:80 } }\n",
	}, map[string]string{"ADDRESS": "10.0.0.1:8080"})
	d := &config.Decoder{}
	cfg := config.Load(d, src, "sluice.yaml")
	if d.Failed() {
		t.Fatal(d.Diagnostics)
	}
	const want = `sites:
  http://a:
    timeouts:
      idle: 7s
    to: p
    routes:
      - timeouts:
          idle: 8s
        to: p
        match: /x
  http://b:
    timeouts:
      idle: 7s
    to: 10.0.0.2:80
pools:
  p:
    servers: ["${ADDRESS}"]
`
	if got := cfg.Merged().YAML(); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestSecretsAreNotWritten(t *testing.T) {
	src := config.Files(map[string]string{
		"sluice.yaml": "acme: { eab: { kid: mine, key: c2VjcmV0 } }\nsites: { http://a: { to: \"${HOST}:80\" } }\n",
	}, map[string]string{"HOST": "hidden.example"})
	d := &config.Decoder{}
	cfg := config.Load(d, src, "sluice.yaml")
	if d.Failed() {
		t.Fatal(d.Diagnostics)
	}
	for _, text := range []string{cfg.Root.YAML(), string(cfg.Root.JSON()), cfg.Merged().Flow(), d.Mask("key c2VjcmV0 of hidden.example")} {
		if strings.Contains(text, "c2VjcmV0") || strings.Contains(text, "hidden.example") {
			t.Error(text)
		}
	}
	if text := string(cfg.Root.JSON()); !strings.Contains(text, `"to": "${HOST}:80"`) || !strings.Contains(text, `"key": "(secret)"`) {
		t.Error(text)
	}
}

func TestAWrittenConfigWithIncludedFilesCanBeReadAgain(t *testing.T) {
	files := map[string]string{"sluice.yaml": "include: more.yaml\nsites: { http://a: { to: 10.0.0.1:80 } }\n", "more.yaml": "sites: { http://b: { to: 10.0.0.2:80 } }\n"}
	d := &config.Decoder{}
	cfg := config.Load(d, config.Files(files, nil), "sluice.yaml")
	files["sluice.yaml"] = cfg.Root.YAML()
	again := config.Load(d, config.Files(files, nil), "sluice.yaml")
	if d.Failed() || len(again.Sites) != 2 || len(config.Diff(cfg.Root, again.Root)) != 0 {
		t.Errorf("%s\n%v", files["sluice.yaml"], d.Diagnostics)
	}
}
