package app

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"sluice/internal/observe/metric"
)

// A panel is one of Grafana's dashboard, as far as we look at it.
type panel struct {
	ID         int
	Type       string
	Title      string
	Datasource struct{ UID string }
	GridPos    struct{ X, Y, W, H int }
	Targets    []struct{ Expr string }
}

// A dashboard is deploy/grafana/sluice.json.
type dashboard struct {
	UID           string
	SchemaVersion int
	Panels        []panel
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Annotations struct{ List []struct{ Expr string } }
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana/sluice.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

var (
	metricName = regexp.MustCompile(`\b(sluice|process|go)_\w+`)
	selector   = regexp.MustCompile(`\b((?:sluice|process|go)_\w+)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"`)
	grouping   = regexp.MustCompile(`\b(?:by|without|on|ignoring) \(([^)]*)\)`)
)

// checkExpression reports what an expression names that is not there.
func checkExpression(t *testing.T, where, expr string, families map[string]metric.Family) {
	t.Helper()
	family := func(name string) metric.Family {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if f := families[strings.TrimSuffix(name, suffix)]; f.Kind == "histogram" && strings.HasSuffix(name, suffix) {
				return f
			}
		}
		if f := families[name]; f.Kind != "histogram" {
			return f
		}
		return metric.Family{}
	}
	labels := []string{"instance", "job", "le"} // what Prometheus adds, and histograms have
	for _, name := range metricName.FindAllString(expr, -1) {
		f := family(name)
		if f.Name == "" {
			t.Errorf("%s: there is no %s", where, name)
		}
		if f.Kind == "counter" && !strings.Contains(expr, "rate(") && !strings.Contains(expr, "increase(") && !strings.Contains(expr, "label_values(") {
			t.Errorf("%s: %s is a counter, of which only changes tell something", where, name)
		}
		labels = append(labels, f.Labels...)
	}
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		for _, label := range matcher.FindAllStringSubmatch(m[2], -1) {
			if label[1] != "instance" && label[1] != "job" && !slices.Contains(family(m[1]).Labels, label[1]) {
				t.Errorf("%s: %s has no label %s", where, m[1], label[1])
			}
		}
	}
	for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(m[1], ",") {
			if label = strings.TrimSpace(label); !slices.Contains(labels, label) {
				t.Errorf("%s: nothing here has a label %s", where, label)
			}
		}
	}
}

func TestTheDashboardShowsWhatIsThere(t *testing.T) {
	families := metricsStage(t, "127.0.0.1:1").families()
	d := readDashboard(t)
	if d.UID != "sluice" || d.SchemaVersion < 39 {
		t.Errorf("uid %q, version %d", d.UID, d.SchemaVersion)
	}
	var rows []string
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q has no number or name of its own", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if taken[at] != "" || at[0] >= 24 {
					t.Errorf("%s lies on %s or outside", p.Title, taken[at])
				}
				taken[at] = p.Title
			}
		}
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		if p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%s has %d expressions for %q", p.Title, len(p.Targets), p.Datasource.UID)
		}
		for _, target := range p.Targets {
			if !metricName.MatchString(target.Expr) {
				t.Errorf("%s: %q names no metric", p.Title, target.Expr)
			}
			checkExpression(t, p.Title, target.Expr, families)
		}
	}
	if want := []string{"Overview", "Sites", "Pools", "Limits and errors", "Process"}; !slices.Equal(rows, want) {
		t.Errorf("rows %q", rows)
	}
	for _, v := range d.Templating.List {
		checkExpression(t, "variable "+v.Name, v.Definition, families)
	}
	for _, a := range d.Annotations.List {
		checkExpression(t, "annotation", a.Expr, families)
	}
}

func TestTheAlertsAskForWhatIsThere(t *testing.T) {
	text, err := os.ReadFile("../../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Expr        string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	families := metricsStage(t, "127.0.0.1:1").families()
	for _, r := range file.Groups[0].Rules {
		if r.Alert == "" || r.Expr == "" || r.Annotations["summary"] == "" || !slices.Contains([]string{"warning", "critical"}, r.Labels["severity"]) {
			t.Errorf("%+v is not whole", r)
		}
		checkExpression(t, r.Alert, r.Expr, families)
	}
}

func TestTheDocumentAsksForWhatIsThere(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	families := metricsStage(t, "127.0.0.1:1").families()
	_, questions, _ := strings.Cut(string(text), "\n## Questions")
	expressions := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(questions, -1)
	for _, m := range expressions {
		if strings.Contains(m[1], "(") {
			checkExpression(t, "docs/metrics.md", m[1], families)
		}
	}
	if len(expressions) < 5 {
		t.Error("no expressions")
	}
}
