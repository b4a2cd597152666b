package manual

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sluice/internal/build"
	"sluice/internal/config"
)

var update = flag.Bool("update", false, "write what is made from the settings")

func TestWhatIsMadeFromTheSettingsIsUpToDate(t *testing.T) {
	comments, err := extractComments(os.DirFS("../.."), "internal/config", "internal/filter", "internal/observe/accesslog", "internal/template")
	if err != nil {
		t.Fatal(err)
	}
	comments = used(comments)
	encoded, err := json.MarshalIndent(comments, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	m := New(comments)
	for name, want := range map[string]string{
		"internal/manual/comments.json": string(encoded) + "\n",
		"docs/reference.md":             m.Reference(),
		"docs/sluice.schema.json":       string(m.Schema()),
	} {
		name = filepath.Join("../..", name)
		if *update {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Error(err)
			}
		} else if text, err := os.ReadFile(name); err != nil || string(text) != want {
			t.Errorf(`%s is out of date: run "make manual" (%v)`, name, err)
		}
	}
}

// used returns the comments that the manual has a use for.
func used(comments map[string]string) map[string]string {
	of := map[string]string{}
	each(build.Outline(), map[*config.Group]bool{}, func(g *config.Group, s config.Setting) {
		for _, name := range []string{g.Name, s.Owner, s.Owner + "." + s.Field} {
			if text, ok := comments[name]; ok {
				of[name] = text
			}
		}
	})
	return of
}

// each calls fn with every setting that there is, once for each group.
func each(g *config.Group, seen map[*config.Group]bool, fn func(g *config.Group, s config.Setting)) {
	if seen[g] {
		return
	}
	seen[g] = true
	var forms func(all []config.Form)
	forms = func(all []config.Form) {
		for _, f := range all {
			if f.Group != nil {
				each(f.Group, seen, fn)
			}
			forms(f.Of)
		}
	}
	for _, s := range g.Settings {
		fn(g, s)
		forms(s.Forms)
	}
	forms(g.Others)
}

func TestEverySettingIsExplained(t *testing.T) {
	m := BuiltIn()
	settings := 0
	each(m.root, map[*config.Group]bool{}, func(g *config.Group, s config.Setting) {
		settings++
		about := m.about(s)
		if !strings.HasPrefix(about, "`"+s.Key+"` ") || !strings.HasSuffix(about, ".") {
			t.Errorf("%s.%s: the doc comment is %q; it begins with the field's name and is a sentence", g.Name, s.Key, about)
		}
		if len(s.Forms) == 0 {
			t.Errorf("%s.%s can't be written", g.Name, s.Key)
		}
	})
	if settings < 80 {
		t.Errorf("%d settings", settings)
	}
}

// The decoder takes what the reference promises as a default.
func TestDefaultsCanBeWritten(t *testing.T) {
	each(BuiltIn().root, map[*config.Group]bool{}, func(g *config.Group, s config.Setting) {
		if s.Default == "" || g.Name != "config.Limits" && g.Name != "config.Log" && g.Name != "config.Admin" {
			return
		}
		section := strings.ToLower(strings.TrimPrefix(g.Name, "config."))
		text := section + ": { " + s.Key + ": " + s.Default + " }\nsites: { \"http://a.example\": { respond: 200 } }\n"
		if d := load(text); d.Failed() {
			t.Errorf("%s: %v", text, d.Diagnostics)
		}
	})
}

func load(text string) *config.Decoder {
	d := &config.Decoder{Features: build.Features()}
	if cfg := config.Load(d, config.Text("sluice.yaml", text), "sluice.yaml"); cfg != nil {
		build.Build(d, cfg, nil, build.Env{Loops: 1, ReadFile: func(string) ([]byte, error) { return nil, nil }})
	}
	return d
}

// value returns a node as an editor's YAML library sees it.
func value(n *config.Node) any {
	switch n.Kind {
	case config.Map:
		m := map[string]any{}
		for _, e := range n.Entries {
			m[e.Key.Value] = value(e.Value)
		}
		return m
	case config.List:
		list := []any{}
		for _, item := range n.Items {
			list = append(list, value(item))
		}
		return list
	case config.Null:
		return nil
	}
	var v any
	if !n.Quoted && json.Unmarshal([]byte(n.Value), &v) == nil {
		return v
	}
	return n.Value
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(BuiltIn().Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("sluice.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("sluice.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(schema *jsonschema.Schema, text string) error {
	root := (&config.Decoder{}).Parse(config.Text("sluice.yaml", text), "sluice.yaml")
	if root == nil {
		return os.ErrInvalid
	}
	return schema.Validate(value(root))
}

var exampleBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

func TestTheSchemaTakesAllExamples(t *testing.T) {
	schema := compiled(t)
	documents, _ := filepath.Glob("../../docs/*.md")
	examples := 0
	for _, name := range append(documents, "../../README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range exampleBlock.FindAllSubmatch(text, -1) {
			examples++
			if err := validate(schema, string(m[1])); err != nil {
				t.Errorf("%s: %v\n%s", name, err, m[1])
			}
		}
	}
	if examples == 0 {
		t.Error("there are no examples")
	}
}

func TestTheSchemaAgreesWithTheDecoder(t *testing.T) {
	schema := compiled(t)
	const site = "sites: { \"http://a.example\": { respond: 200 } }\n"
	for text, want := range map[string]bool{
		site: true,
		"sites: { \"http://a.example\": { to: 10.0.0.1:80 } }":                                                                        true,
		"sites: { \"http://a.example\": { to: [10.0.0.1:80, { address: \"10.0.0.2:80\", weight: 2 }] } }":                             true,
		"sites: { \"http://a.example\": { to: { servers: [10.0.0.1:80], retry: off } } }":                                             true,
		"sites: { \"http://a.example\": { respond: { status: 404, body: 12 } } }":                                                     true,
		"sites: { \"http://a.example\": { respond: 200, headers: { response: { set: { X: y, Z: [a, b], Server: off } } } } }":         true,
		"sites: { \"http://a.example\": { respond: 200, routes: [{ match: /a*, redirect: /b }] } }":                                   true,
		"sites: { \"http://a.example\": { respond: 200, routes: [{ match: { method: [GET, HEAD] }, respond: off, redirect: /b }] } }": true,
		"trusted_proxies: [10.0.0.0/8]\n" + site:                                                                                      true,
		"trusted_proxies: { networks: [10.0.0.0/8] }\n" + site:                                                                        true,
		"limits: { request_body: off, head: 128KiB }\n" + site:                                                                        true,
		"limits: { min_rate: off }\n" + site:                                                                                          true,
		"log: { access: off }\n" + site:                                                                                               true,
		"log: { level: warning }\n" + site:                                                                                            false,
		"limits: { head: large }\n" + site:                                                                                            false,
		"limits: { head_timeout: 5 sec }\n" + site:                                                                                    false,
		"limits: { loops: 5000 }\n" + site:                                                                                            false,
		"limits: { loops: two }\n" + site:                                                                                             false,
		"limit: {}\n" + site:                                                                                                          false,
		"sites: { \"http://a.example\": { respond: [] } }":                                                                            false,
		"sites: { \"http://a.example\": { respnd: 200 } }":                                                                            false,
		"sites: { \"http://a.example\": { routes: [{ to: x }] } }":                                                                    false,
		"pools: {}\n": false,
	} {
		d := load(text)
		if d.Failed() == want {
			t.Errorf("check of %q: %v", text, d.Diagnostics)
		}
		if err := validate(schema, text); (err == nil) != want {
			t.Errorf("the schema says of %q: %v", text, err)
		}
	}
}
