package app

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/internal/downstream/h1"
	"sluice/internal/observe/metric"
)

// metricsStage is a process that has a series of every metric.
func metricsStage(t *testing.T, to string) *stage {
	t.Helper()
	return newStage(t, Native, stageConfig(to))
}

// families are the metrics of a process by name.
func (s *stage) families() map[string]metric.Family {
	all := map[string]metric.Family{}
	for _, f := range s.p.set.Families() {
		all[f.Name] = f
	}
	return all
}

// metricRow is a row of the tables of docs/metrics.md: name, type, labels, meaning.
var (
	metricRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (counter|gauge|histogram|info) \\| (.*?) \\| (.*) \\|$")
	labelRow  = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| [^|]* \\|$")
)

func TestEachMetricIsInTheDocumentAsItIs(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, m := range metricRow.FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = m[0]
	}
	var labels []string
	for _, m := range labelRow.FindAllStringSubmatch(string(text), -1) {
		labels = append(labels, m[1])
	}
	families := metricsStage(t, "127.0.0.1:1").families()
	used := map[string]bool{}
	for name, f := range families {
		var list []string
		for _, label := range f.Labels {
			list = append(list, "`"+label+"`")
			used[label] = true
		}
		if row := fmt.Sprintf("| `%s` | %s | %s | %s |", name, f.Kind, strings.Join(list, ", "), f.Help); documented[name] != row {
			t.Errorf("docs/metrics.md has not this row:\n%s", row)
		}
	}
	for name := range documented {
		if _, ok := families[name]; !ok {
			t.Errorf("docs/metrics.md has %s, which is not there", name)
		}
	}
	if want := slices.Sorted(maps.Keys(used)); !slices.Equal(want, slices.Sorted(slices.Values(labels))) {
		t.Errorf("docs/metrics.md explains the labels %q, want %q", labels, want)
	}
}

// statusOrigin answers /NNN with status NNN, whatever that is.
func statusOrigin(t *testing.T) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if q, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				fmt.Fprintf(c, "HTTP/1.1 %s Odd\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", strings.Trim(q.URL.Path, "/"))
			}
			c.Close()
		}
	}()
	return ln.Addr().String()
}

// Whatever clients and origins send, no series is added: all are made when a config is applied.
func TestTrafficMakesNoSeries(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		// The first server refuses connections: attempts at it are retried.
		text := strings.Replace(stageConfig("pair"), "} }\n", "}, \"http://b.test:PORT\": { to: pair } }\n", 1)
		s := newStage(t, d, text+"pools: { pair: { servers: [127.0.0.1:1, "+statusOrigin(t)+"] } }\n")
		before := s.families()
		for status := 100; status <= 999; status++ {
			method := []string{"GET", "POST", "M" + fmt.Sprint(status), "TRACE", "get", "BAD METHOD", "CONNECT"}[status%7]
			host := []string{fmt.Sprintf("h%d.test", status), "b.test", `"\`, "", "a b"}[status%5]
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "%s /%d HTTP/1.1\r\nHost: %s\r\nUser-Agent: %d\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method, status, host, status)
			io.Copy(io.Discard, c)
			c.Close()
		}
		counted := func() (n int64) {
			for _, f := range s.p.env.Metrics.Figures() {
				n += f.Total()
			}
			return n
		}
		eventually(t, "all requests are counted", func() bool { return counted() == 900 })
		if retries := s.p.env.Metrics.PoolFigures()[0].Retries; retries == 0 {
			t.Error("nothing was retried")
		}
		for name, f := range s.families() {
			if f.Series != before[name].Series {
				t.Errorf("%s had %d series and has %d", name, before[name].Series, f.Series)
			}
		}
	})
}

func TestCountsConnectionsByTheirEnd(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		o := newOrigin(t, "hello")
		s := newStage(t, d, stageConfig(o.address))
		s.ask(200, "hello") // the client closes
		address := fmt.Sprintf("127.0.0.1:%d", s.port)
		for request, status := range map[string]int{
			"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n": 200,
			"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n":      400,
		} {
			c := dialClient(t, address)
			io.WriteString(c, request)
			r, err := http.ReadResponse(c.r, nil)
			if err != nil || r.StatusCode != status {
				t.Fatalf("%v %v", r, err)
			}
			io.Copy(io.Discard, c.r)
			c.Close()
		}
		held := dialClient(t, address)
		held.ask("/held")
		<-o.arrived
		s.wantMetrics("sluice_connections_accepted_total 4", "sluice_exchanges 1", "sluice_tunnels 0",
			`sluice_connections_ended_total{reason="client"} 1`, `sluice_connections_ended_total{reason="done"} 1`,
			`sluice_connections_ended_total{reason="refused"} 1`, `sluice_connections_ended_total{reason="aborted"} 0`)
		close(o.release)
		held.want(200, "hello")
		s.wantMetrics("sluice_exchanges 0")
	})
}

func TestCountsQuietConnectionsByTheirEnd(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		o := newOrigin(t, "hello")
		s := newStage(t, d, stageConfig(o.address)+"limits: { head_timeout: 100ms }\n")
		silent := dialClient(t, fmt.Sprintf("127.0.0.1:%d", s.port))
		io.Copy(io.Discard, silent)
		s.wantMetrics(`sluice_connections_ended_total{reason="timeout"} 1`, `sluice_limits_reached_total{limit="limits.head_timeout"} 1`)

		s = newStage(t, d, stageConfig(o.address))
		quiet := dialClient(t, fmt.Sprintf("127.0.0.1:%d", s.port))
		quiet.ask("/")
		quiet.want(200, "hello")
		s.p.engine.Stop(t.Context(), idleGrace)
		if n := s.p.engine.h1.Ended(h1.EndDrain); n != 1 {
			t.Errorf("%d connections have ended by the drain", n)
		}
	})
}

func TestCountsTunnels(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		s := newStage(t, d, stageConfig(ln.Addr().String()))
		c := dialClient(t, fmt.Sprintf("127.0.0.1:%d", s.port))
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
		origin, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer origin.Close()
		if _, err := http.ReadRequest(bufio.NewReader(origin)); err != nil {
			t.Fatal(err)
		}
		io.WriteString(origin, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
		if r, err := http.ReadResponse(c.r, nil); err != nil || r.StatusCode != 101 {
			t.Fatalf("%v %v", r, err)
		}
		s.wantMetrics("sluice_tunnels 1", "sluice_exchanges 1", `sluice_connections_ended_total{reason="tunnel"} 0`)
		origin.Close()
		c.Close()
		s.wantMetrics("sluice_tunnels 0", "sluice_exchanges 0", `sluice_connections_ended_total{reason="tunnel"} 1`)
	})
}

func TestTellsWhetherTheLastReloadWorked(t *testing.T) {
	s := newStage(t, Native, stageConfig("127.0.0.1:1"))
	s.wantMetrics("sluice_config_last_reload_successful 1")
	good := s.text
	s.text = "sitse: {}"
	if s.p.reload() == nil {
		t.Fatal("a bad config is taken")
	}
	s.wantMetrics("sluice_config_last_reload_successful 0", `sluice_config_reloads_total{result="refused"} 1`)
	s.text = good
	if err := s.p.reload(); err != nil {
		t.Fatal(err)
	}
	s.wantMetrics("sluice_config_last_reload_successful 1", `sluice_config_reloads_total{result="done"} 1`)
	if text := s.admin("/metrics"); !regexp.MustCompile(`\nsluice_config_applied_timestamp_seconds \d\.\d+e\+09\n`).MatchString(text) {
		t.Error(text)
	}
}

func TestNoMetricsAreOpenMetricsToo(t *testing.T) {
	s := newStage(t, Native, strings.Replace(stageConfig("127.0.0.1:1"), "admin: {", "admin: { metrics: false,", 1))
	var text strings.Builder
	if err := s.p.writeMetrics(&text, metric.OpenMetrics); err != nil || text.String() != "# EOF\n" {
		t.Errorf("%q %v", text.String(), err)
	}
}

func TestCountsWhatAPoolTakes(t *testing.T) {
	o := newOrigin(t, "hello")
	s := newStage(t, Native, stageConfig("pair")+"pools: { pair: { servers: [127.0.0.1:1, "+o.address+"] } }\n")
	for range 4 {
		s.ask(200, "hello")
	}
	endpoint := `{pool="pair",endpoint="http://` + o.address
	s.wantMetrics(`sluice_pool_response_duration_seconds_count{pool="pair"} 4`, "sluice_endpoint_attempts_total"+endpoint+`"} 4`,
		"sluice_endpoint_queue"+endpoint+`"} 0`, "sluice_endpoint_state"+endpoint+`",state="up"} 1`)
	f := s.p.env.Metrics.PoolFigures()[0]
	if f.Pool != "pair" || f.Retries == 0 || f.Connect.Count() == 0 || f.Connect.Count() > 4 {
		t.Errorf("%s: %d retries, %d connects", f.Pool, f.Retries, f.Connect.Count())
	}
	s.reload(stageConfig(o.address))
	if text := s.admin("/metrics"); strings.Contains(text, `pool="pair"`) {
		t.Error("series of a pool that is gone are still there")
	}
}
