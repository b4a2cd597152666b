package build

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/internal/config"
	"sluice/internal/observe"
	"sluice/internal/observe/metric"
)

// A limitRow is a line of the first table of docs/limits.md.
type limitRow struct{ key, value, metric string }

var (
	limitLine = regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\| [^|]* \\| `([^`]*)` \\| [^|]* \\| ([^|]*) ?\\|$")
	boundLine = regexp.MustCompile("(?m)^\\| [^|]* \\| [^|]* \\| [^|]* \\| `([a-z0-9/.]+)`: `(\\w+)` \\|$")
)

func limitDocument(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func limitRows(t *testing.T) (rows []limitRow) {
	t.Helper()
	for _, m := range limitLine.FindAllStringSubmatch(limitDocument(t), -1) {
		rows = append(rows, limitRow{m[1], m[2], strings.TrimSpace(m[3])})
	}
	if len(rows) == 0 {
		t.Fatal("no table")
	}
	return rows
}

// limitsOf returns what a config says about limits, by the first part of a key. setting is put in its place.
func limitsOf(t *testing.T, key, value string) map[string]any {
	t.Helper()
	where := map[string]string{"limits": "", "pools": "", "timeouts": ""}
	first, rest, _ := strings.Cut(key, ".")
	if key != "" {
		names := strings.Split(rest, ".")
		where[first] = strings.Join(names, ": { ") + ": " + value + strings.Repeat(" }", len(names)-1)
	}
	d := &config.Decoder{Features: Features()}
	c := config.Load(d, config.Text("t.yaml", `
limits: { `+where["limits"]+` }
pools: { a: { servers: ["10.0.0.1:80"], timeouts: { `+where["timeouts"]+` }, `+where["pools"]+` } }
sites: { "http://a.example": { to: a } }
`), "t.yaml")
	if d.Failed() {
		t.Fatal(key, d.Diagnostics)
	}
	pool := *c.Sites[0].To.Pool
	pool.Node, pool.Servers = nil, nil
	timeouts := pool.Timeouts
	return map[string]any{"limits": c.Limits, "pools": pool, "timeouts": timeouts}
}

func TestEachLimitInTheDocumentIsASettingWithThatDefault(t *testing.T) {
	defaults := limitsOf(t, "", "")
	for _, r := range limitRows(t) {
		if got := limitsOf(t, r.key, r.value); !reflect.DeepEqual(got, defaults) {
			t.Errorf("%s: %s is not the default:\n%+v\n%+v", r.key, r.value, got, defaults)
		}
	}
}

func TestEachLimitIsInTheDocument(t *testing.T) {
	var documented []string
	for _, r := range limitRows(t) {
		documented = append(documented, r.key)
	}
	for prefix, of := range map[string][]any{
		"limits.": {config.Limits{}, config.SiteLimits{}}, "timeouts.": {config.Timeouts{}}, "pools.keep_alive.": {config.KeepAlive{}},
		"pools.retry.": {config.Retry{}},
	} {
		for _, settings := range of {
			for _, key := range config.Keys(settings) {
				if !slices.Contains(documented, prefix+key) {
					t.Errorf("%s%s is not in docs/limits.md", prefix, key)
				}
			}
		}
	}
}

// What bounds the connections of clients is counted by the process (see app).
func TestEachLimitInTheDocumentHasItsMetric(t *testing.T) {
	set := metric.NewSet(1)
	m := observe.NewMetrics(set)
	counted := 0
	for _, r := range limitRows(t) {
		if r.metric != "" && !strings.HasPrefix(r.metric, "also ") || strings.HasPrefix(r.key, "limits.connections") {
			continue
		}
		counted++
		m.Reached(0, r.key)
		var text bytes.Buffer
		if err := set.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if line := `sluice_limits_reached_total{limit="` + r.key + `"} 1`; !strings.Contains(text.String(), line) {
			t.Errorf("%s counts nothing", r.key)
		}
	}
	var text bytes.Buffer
	if err := set.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if series := strings.Count(text.String(), "sluice_limits_reached_total{"); series != counted {
		t.Errorf("%d series, %d of them in docs/limits.md", series, counted)
	}
}

func TestEachFixedBoundIsWhereTheDocumentSays(t *testing.T) {
	bounds := boundLine.FindAllStringSubmatch(limitDocument(t), -1)
	if len(bounds) < 10 {
		t.Fatal("no table of bounds")
	}
	for _, m := range bounds {
		text, err := os.ReadFile(filepath.Join("../..", m[1]))
		if err != nil || !regexp.MustCompile(`(?m)^\s*(const )?`+m[2]+`\s+=`).Match(text) {
			t.Errorf("%s has no %s (%v)", m[1], m[2], err)
		}
	}
}
