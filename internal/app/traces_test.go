package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"sluice/internal/observe/otlptest"
)

// A tracedOrigin keeps the traceparent of each request. It fails at /fail, and breaks off at /broken.
type tracedOrigin struct {
	address string
	mu      sync.Mutex
	parents map[string]string // by path; guarded by mu
}

func newTracedOrigin(t *testing.T) *tracedOrigin {
	o := &tracedOrigin{parents: map[string]string{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		o.mu.Lock()
		o.parents[q.URL.Path] = q.Header.Get("Traceparent")
		o.mu.Unlock()
		switch q.URL.Path {
		case "/fail":
			w.WriteHeader(http.StatusInternalServerError)
		case "/broken":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "not all of it")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		default:
			_, _ = io.WriteString(w, "hello")
		}
	}))
	t.Cleanup(s.Close)
	o.address = s.Listener.Addr().String()
	return o
}

func (o *tracedOrigin) parent(path string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.parents[path]
}

// deadAddress is one that refuses connections.
func deadAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// get asks for a path, and takes whatever comes.
func (s *stage) get(path string) {
	s.t.Helper()
	c := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	q, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d%s", s.port, path), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := c.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	r.Body.Close()
}

// A tree is the spans of one trace.
type tree struct {
	server  otlptest.Span
	clients []otlptest.Span
}

// trees sorts spans by the path of their exchange. Each span must have its place.
func trees(t *testing.T, all []otlptest.Span) map[string]tree {
	t.Helper()
	byPath, byID := map[string]tree{}, map[string]string{}
	for _, s := range all {
		if s.Server {
			byPath[s.Attributes["url.path"]] = tree{server: s}
			byID[s.Trace+s.ID] = s.Attributes["url.path"]
		}
	}
	for _, s := range all {
		if s.Server {
			continue
		}
		path, ok := byID[s.Trace+s.Parent]
		if !ok {
			t.Errorf("a span without a parent: %+v", s)
		}
		tr := byPath[path]
		tr.clients = append(tr.clients, s)
		byPath[path] = tr
	}
	return byPath
}

func tracedConfig(c *otlptest.Collector, servers ...string) string {
	return "tracing: { endpoint: \"" + c.URL + "\", headers: { Authorization: Bearer hush-hush-hush }, service: edge, attributes: { deployment.environment.name: test } }\n" +
		"pools: { shop: { servers: [\"" + strings.Join(servers, "\", \"") + "\"] } }\n" + stageConfig("shop")
}

func TestTracesExchangesWithTheirAttempts(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		c, o, dead := otlptest.New(t), newTracedOrigin(t), deadAddress(t)
		c.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }) // it comes again
		s := newStage(t, d, tracedConfig(c, dead, o.address))
		for _, path := range []string{"/a", "/b", "/c", "/d", "/fail", "/broken"} {
			s.get(path)
		}
		eventually(t, "6 exchanges are counted", func() bool { return s.p.engine.Connections() == 0 })
		s.p.traces.Flush(context.Background())
		eventually(t, "all spans are delivered", func() bool { return len(trees(t, c.Spans())) == 6 })
		all := trees(t, c.Spans())
		retried := 0
		for path, tr := range all {
			last := tr.clients[len(tr.clients)-1]
			if parent := o.parent(path); parent != fmt.Sprintf("00-%s-%s-03", tr.server.Trace, last.ID) {
				t.Errorf("%s: the origin was told %s, the spans are %+v", path, parent, tr)
			}
			if len(tr.clients) == 2 {
				retried++
				if first := tr.clients[0]; !first.Failed || first.Attributes["error.type"] != "connection_refused" || "http://"+first.Attributes["server.address"]+":"+first.Attributes["server.port"] != "http://"+dead {
					t.Errorf("%s: %v", path, &first)
				}
			}
			if r := tr.server.Resource; r["service.name"] != "edge" || r["deployment.environment.name"] != "test" || r["service.version"] != "1.2.3" || r["host.name"] == "" {
				t.Errorf("the resource is %v", r)
			}
			if tr.server.Parent != "" || tr.server.Ended.Before(last.Ended) || last.Began.Before(tr.server.Began) {
				t.Errorf("%s: %+v", path, tr)
			}
		}
		if retried == 0 {
			t.Error("no exchange was tried twice")
		}
		s.wantSpan(all["/a"].server, false, "200", "")
		s.wantSpan(all["/fail"].server, true, "500", "500")
		s.wantSpan(all["/broken"].server, true, "200", "http_response_incomplete")
		broken := all["/broken"].clients
		s.wantSpan(broken[len(broken)-1], true, "200", "http_response_incomplete")
		s.wantMetrics(`sluice_trace_exports_total{result="retried"} 1`, `sluice_trace_dropped_spans_total{reason="queue"} 0`)
		s.wantFile("access.log", `"trace_id":"`+all["/a"].server.Trace+`","span_id":"`+all["/a"].server.ID+`"`)
		if got := c.Requests()[0].Get("Authorization"); got != "Bearer hush-hush-hush" {
			t.Errorf("the collector got %q", got)
		}
		for _, text := range []string{s.admin("/metrics"), s.file("access.log"), s.file("error.log"), fmt.Sprint(c.Spans())} {
			if strings.Contains(text, "hush") {
				t.Error("the collector's credentials show up")
			}
		}
	})
}

func (s *stage) wantSpan(got otlptest.Span, failed bool, status, kind string) {
	s.t.Helper()
	if got.Failed != failed || got.Attributes["http.response.status_code"] != status || got.Attributes["error.type"] != kind {
		s.t.Errorf("%v, want failed %v, status %s, error %q", &got, failed, status, kind)
	}
}

func TestAReloadSwitchesTracing(t *testing.T) {
	c, o := otlptest.New(t), newTracedOrigin(t)
	s := newStage(t, Native, stageConfig(o.address))
	s.get("/before")
	s.reload(tracedConfig(c, o.address))
	s.get("/traced")
	s.wantFile("access.log", `"path":"/traced"`)
	s.reload(strings.Replace(tracedConfig(c, o.address), "tracing: {", "tracing: { sample: 0%,", 1))
	s.get("/unsampled")
	s.wantFile("access.log", `"path":"/unsampled"`)
	s.reload(stageConfig(o.address)) // what is made is still delivered, or dropped and counted
	s.get("/after")
	s.wantFile("access.log", `"path":"/after"`)
	for path, traced := range map[string]bool{"/before": false, "/traced": true, "/unsampled": true, "/after": false} {
		if got := o.parent(path) != ""; got != traced {
			t.Errorf("%s: told of a trace %v", path, got)
		}
	}
	for line := range strings.Lines(s.file("access.log")) {
		var l struct {
			Path  string
			Trace string `json:"trace_id"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		parent := o.parent(l.Path)
		if (l.Trace != "") != (parent != "") || !strings.Contains(parent, l.Trace) {
			t.Errorf("%s, the origin was told %q", line, parent)
		}
	}
}

func TestTheEndDeliversWhatThereIs(t *testing.T) {
	c, o := otlptest.New(t), newTracedOrigin(t)
	s := newStage(t, Native, tracedConfig(c, o.address))
	s.get("/a")
	s.p.Stop(context.Background())
	if all := trees(t, c.Spans()); len(all) != 1 || len(all["/a"].clients) != 1 {
		t.Errorf("%v", c.Spans())
	}
}

func TestACollectorThatIsGoneIsReportedOnce(t *testing.T) {
	o, c := newTracedOrigin(t), otlptest.New(t)
	for range 2 {
		c.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	}
	s := newStage(t, Native, tracedConfig(c, o.address))
	for _, path := range []string{"/a", "/b", "/c"} {
		s.get(path)
		s.wantFile("access.log", `"path":"`+path+`"`)
		s.p.traces.Flush(context.Background())
	}
	s.wantFile("error.log", "traces are delivered again")
	if text := s.file("error.log"); strings.Count(text, "traces can't be delivered") != 1 || !strings.Contains(text, "401 Unauthorized") {
		t.Error(text)
	}
	s.wantMetrics(`sluice_trace_dropped_spans_total{reason="export"} 4`, `sluice_trace_exports_total{result="failed"} 2`, `sluice_trace_spans_total 6`)
}
