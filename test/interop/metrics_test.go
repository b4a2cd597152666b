//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// measured starts Sluice in front of nginx and a server that refuses connections, with metrics at the address that is returned, and sends some requests.
func measured(t *testing.T) (s *sluice, admin string) {
	t.Helper()
	n := startNginx(t, "")
	n.file("a.bin", noise(5000))
	s = proxyTo(t, n.addr, freeAddr(t))
	admin = freeAddr(t)
	s.reload("admin: off", "admin: { listen: "+admin+" }")
	answered(t, s.url+"/a.bin", 20)
	return s, admin
}

// get asks for a text in a format.
func get(t *testing.T, url, accept string) string {
	t.Helper()
	q, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Accept", accept)
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), accept) {
		t.Fatalf("%d %v %v", r.StatusCode, r.Header, err)
	}
	return string(text)
}

// accepts runs a program that reads text, and must find nothing wrong with it.
func accepts(t *testing.T, text string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", command[0], err, out)
	}
}

func TestPromtoolTakesTheText(t *testing.T) {
	need(t, "nginx", "promtool")
	_, admin := measured(t)
	accepts(t, get(t, "http://"+admin+"/metrics", "text/plain"), "promtool", "check", "metrics")
}

// openMetricsReader reads standard input with the reference parser, which is strict.
const openMetricsReader = `
import sys
from prometheus_client.openmetrics import parser
families = list(parser.text_string_to_metric_families(sys.stdin.buffer.read().decode()))
kinds = {f.name: (f.type, f.unit) for f in families}
assert kinds["sluice_requests"] == ("counter", ""), kinds
assert kinds["sluice_sent_bytes"] == ("counter", "bytes"), kinds
assert kinds["sluice_request_duration_seconds"] == ("histogram", "seconds"), kinds
assert kinds["sluice_build"] == ("info", ""), kinds
`

func TestTheReferenceParserTakesOpenMetrics(t *testing.T) {
	const python = "/usr/bin/python3" // Debian's: it finds Debian's packages
	need(t, "nginx", python)
	if exec.Command(python, "-c", "import prometheus_client.openmetrics.parser").Run() != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3-prometheus-client is missing: make peers")
		}
		t.Skip("python3-prometheus-client is missing: make peers")
	}
	_, admin := measured(t)
	accepts(t, get(t, "http://"+admin+"/metrics", "application/openmetrics-text"), python, "-c", openMetricsReader)
}

func TestPromtoolTakesTheAlerts(t *testing.T) {
	need(t, "promtool")
	accepts(t, "", "promtool", "check", "rules", "../../deploy/prometheus/alerts.yaml")
}

// asked asks Prometheus for the value of an expression: how many series it has.
func asked(t *testing.T, prometheus, expr string) (series int, fault string) {
	t.Helper()
	r, err := http.Get("http://" + prometheus + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	var answer struct {
		Error string
		Data  struct{ Result []any }
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return 0, err.Error()
	}
	return len(answer.Data.Result), answer.Error
}

// dashboardExpressions are the expressions of the dashboard's panels, with all that can be chosen in it chosen.
func dashboardExpressions(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana/sluice.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	chosen := strings.NewReplacer("$instance", ".*", "$site", ".*", "$pool", ".*", "$__rate_interval", "10s")
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, chosen.Replace(target.Expr))
		}
	}
	return all
}

// Each panel of the dashboard is an expression that Prometheus takes, and shows something but where nothing is the good news.
func TestPrometheusAnswersTheDashboard(t *testing.T) {
	need(t, "nginx", "prometheus")
	s, admin := measured(t)
	dir, listen := t.TempDir(), freeAddr(t)
	config := write(t, dir, "prometheus.yml", fmt.Sprintf(
		"global: { scrape_interval: 1s, evaluation_interval: 1s }\nscrape_configs: [ { job_name: sluice, static_configs: [ { targets: [%q] } ] } ]\n", admin))
	p := start(t, "prometheus", "--config.file="+config, "--storage.tsdb.path="+dir, "--web.listen-address="+listen)
	p.until("has read the metrics four times", func() bool {
		series, _ := asked(t, listen, `count_over_time(up{job="sluice"}[1m]) >= 4 and up == 1`)
		return series == 1
	})
	answered(t, s.url+"/a.bin", 20)
	for _, expr := range dashboardExpressions(t) {
		series, fault := asked(t, listen, expr)
		if fault != "" || series == 0 && !strings.HasSuffix(expr, "> 0") {
			t.Errorf("%s: %d series %s", expr, series, fault)
		}
	}
}
