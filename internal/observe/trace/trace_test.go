package trace

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/exchange"
	"sluice/internal/exchange/exchangetest"
	"sluice/internal/leaktest"
	"sluice/internal/observe/metric"
	"sluice/internal/observe/otlp"
	"sluice/internal/observe/otlptest"
)

func TestMain(m *testing.M) { leaktest.Main(m, "otlp.(*Exporter)") }

// counter returns IDs that count up.
func counter() func() uint64 {
	var mu sync.Mutex
	n := uint64(0)
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		n++
		return n
	}
}

// newTracer returns a tracer that delivers to a collector.
func newTracer(t testing.TB, s Settings) (*Tracer, *otlptest.Collector, *metric.Set) {
	t.Helper()
	set := metric.NewSet(1)
	c := otlptest.New(t)
	tr := New(Options{Loops: 1, Set: set, Random: counter(), Report: func(err error) { t.Error(err) }})
	t.Cleanup(func() { tr.Close(context.Background()) })
	s.Export.URL = c.URL + "/v1/traces"
	s.Export.QueueBytes = 16 << 20
	tr.Apply(s)
	return tr, c, set
}

const (
	known   = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	ignored = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
)

func everyone(netip.Addr) bool { return true }
func nobody(netip.Addr) bool   { return false }

func TestDecidesWhichTrace(t *testing.T) {
	const (
		started = "00-00000000000000010000000000000002-0000000000000003-"
		went    = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-"
	)
	for _, c := range []struct {
		name    string
		share   float64
		trusts  func(netip.Addr) bool
		fields  []string
		want    string // as forwarded
		state   string
		sampled bool
	}{
		{"begins", 1, everyone, nil, started + "03", "", true},
		{"begins, and is not sampled", 0, everyone, nil, started + "02", "", false},
		{"goes on", 0, everyone, []string{"Traceparent: " + known, "Tracestate: a=1, b=2"}, went + "01", "a=1,b=2", true},
		{"goes on, and is not sampled", 1, everyone, []string{"traceparent: " + ignored, "tracestate: a=1"}, went + "00", "a=1", false},
		{"has a state of several lines", 0, everyone, []string{"traceparent: " + ignored, "tracestate: a=1", "tracestate: b=2"}, went + "00", "a=1,b=2", false},
		{"has a state that is not one", 0, everyone, []string{"traceparent: " + known, "tracestate: a"}, went + "01", "", true},
		{"is a stranger's", 0, nobody, []string{"traceparent: " + known, "tracestate: a=1"}, started + "02", "", false},
		{"is of a later version", 0, everyone, []string{"traceparent: 01" + known[2:] + "-more"}, went + "01", "", true},
		{"is malformed", 1, everyone, []string{"traceparent: " + known[:54], "tracestate: a=1"}, started + "03", "", true},
		{"is named twice", 1, everyone, []string{"traceparent: " + known, "traceparent: " + ignored}, started + "03", "", true},
		{"has a state alone", 1, everyone, []string{"tracestate: a=1"}, started + "03", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, _, _ := newTracer(t, Settings{})
			x := exchangetest.New("GET", "http://a.example/", c.fields...)
			f := NewFilter(tr, c.share, c.trusts)
			if f.Name() != "tracing" || f.Request(x) != exchange.Continue {
				t.Error("name or verdict")
			}
			got := &x.Request.Fields
			if string(got.Get(exchange.FieldTraceparent)) != c.want || got.Count(exchange.FieldTraceparent) != 1 || string(got.Get(exchange.FieldTracestate)) != c.state ||
				got.Count(exchange.FieldTracestate) > 1 || (x.Trace != nil) != c.sampled {
				t.Errorf("%q, sampled %v", exchangetest.Lines(got), x.Trace != nil)
			}
			if id := hex.EncodeToString(x.Notes.TraceID[:]) + "-" + hex.EncodeToString(x.Notes.SpanID[:]); !strings.Contains(c.want, id) {
				t.Errorf("notes have %s", id)
			}
			f.Finish(x)
			if x.Trace != nil {
				t.Error("the record was not taken back")
			}
		})
	}
}

func TestSamplesAShare(t *testing.T) {
	tr := New(Options{Loops: 1, Set: metric.NewSet(1)}) // with real IDs
	defer tr.Close(context.Background())
	for _, share := range []float64{0, 0.1, 0.5, 1} {
		f := NewFilter(tr, share, nobody)
		n := 0
		const of = 4000
		for range of {
			x := exchangetest.New("GET", "http://a.example/")
			if f.Request(x); x.Trace != nil {
				n++
			}
			f.Finish(x)
		}
		if got := float64(n) / of; got < share-0.05 || got > share+0.05 || share == 0 && n > 0 || share == 1 && n < of {
			t.Errorf("of a share of %v it is %v", share, got)
		}
	}
}

func TestNoMoreThanTheLimitAreSampled(t *testing.T) {
	var l limiter
	l.set(10, time.Second)
	take := func(now time.Duration, n int) (got int) {
		for range n {
			if l.allow(int64(1e18 + now)) {
				got++
			}
		}
		return got
	}
	for _, c := range []struct {
		now  time.Duration
		want int
	}{{0, 10}, {0, 0}, {100 * time.Millisecond, 1}, {600 * time.Millisecond, 5}, {time.Hour, 10}, {time.Minute, 10}, {time.Minute, 0}} { // the clock goes back, too
		if got := take(c.now, 20); got != c.want {
			t.Errorf("at %v: %d, want %d", c.now, got, c.want)
		}
	}
	if l.set(0, 0); take(0, 20) != 20 {
		t.Error("no limit is one")
	}
}

func TestWhatIsAboveTheLimitIsToldSo(t *testing.T) {
	tr, _, set := newTracer(t, Settings{Traces: 1, Per: time.Hour})
	f := NewFilter(tr, 0, everyone)
	for _, flags := range []string{"01", "00", "00"} {
		x := exchangetest.New("GET", "http://a.example/", "traceparent: "+known)
		f.Request(x)
		if got := string(x.Request.Fields.Get(exchange.FieldTraceparent)); !strings.HasSuffix(got, "-"+flags) {
			t.Errorf("%s, want %s", got, flags)
		}
		f.Finish(x)
	}
	wantMetric(t, set, `sluice_limits_reached_total{limit="tracing.limit"} 2`)
}

func wantMetric(t *testing.T, set *metric.Set, line string) {
	t.Helper()
	var b strings.Builder
	if err := set.WriteText(&b); err != nil || !strings.Contains(b.String(), line+"\n") {
		t.Errorf("no %s in\n%s", line, &b)
	}
}

// attempted has x tried at an endpoint.
func attempted(x *exchange.Exchange, endpoint string, err *exchange.Error, status int) {
	x.Notes.Attempts++
	x.Notes.Endpoint, x.Notes.Origin, x.Notes.Reused = endpoint, netip.Addr{}, false
	x.Trace.Begin(x)
	if err == nil || err.Kind != exchange.KindConnectionRefused {
		x.Notes.Origin, x.Notes.Reused = netip.MustParseAddr("10.0.0.7"), true
	}
	if err == nil {
		x.Notes.ResponseBegan = x.Driver.Now()
		exchangetest.FromOrigin(x, status, "")
	}
	x.Trace.End(x, err)
}

func TestMakesATree(t *testing.T) {
	tr, c, set := newTracer(t, Settings{Export: otlp.Settings{Version: "1.2.3", Resource: []otlp.Attribute{{Key: "service.name", Value: "edge"}}}})
	f := NewFilter(tr, 1, everyone)
	x := exchangetest.New("GET", "https://shop.example.com:8443/a/b?token=hush", "traceparent: "+known, "tracestate: a=1", "User-Agent: curl/8")
	x.Notes.Began = x.Driver.Now()
	x.Notes.Site, x.Notes.Route, x.Notes.Pool = "shop.example.com", "2 /a/*", "shop"
	f.Request(x)
	forwarded := func() string { return string(x.Request.Fields.Get(exchange.FieldTraceparent)) }
	attempted(x, "http://10.0.0.6:8080", &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindConnectionRefused}, 0)
	first := forwarded()
	attempted(x, "http://10.0.0.7:8080", nil, 404)
	second := forwarded()
	f.Finish(x)
	tr.Flush(t.Context())
	all := c.Spans()
	if len(all) != 3 {
		t.Fatal(all)
	}
	for i, want := range []string{
		`server "GET /a/*" failed=false client.address=192.0.2.1 http.request.method=GET http.response.status_code=404 http.route=/a/* network.peer.address=192.0.2.1 ` +
			`network.peer.port=40000 network.protocol.version=1.1 server.address=shop.example.com server.port=8443 sluice.pool=shop sluice.route=2 /a/* ` +
			`sluice.site=shop.example.com url.path=/a/b url.scheme=https user_agent.original=curl/8`,
		`client "GET" failed=true error.type=connection_refused http.request.method=GET server.address=10.0.0.6 server.port=8080 sluice.pool=shop ` +
			`url.full=http://10.0.0.6:8080/a/b`,
		`client "GET" failed=true error.type=404 http.request.method=GET http.request.resend_count=1 http.response.status_code=404 network.peer.address=10.0.0.7 ` +
			`server.address=10.0.0.7 server.port=8080 sluice.connection.reused=true sluice.pool=shop url.full=http://10.0.0.7:8080/a/b`,
	} {
		if got := all[i].String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		s := all[i]
		if s.Trace != known[3:35] || s.State != "a=1" || s.Ended.Before(s.Began) || time.Since(s.Ended) > time.Minute || s.Resource["service.name"] != "edge" || s.Scope != "sluice 1.2.3" {
			t.Errorf("%+v", s)
		}
	}
	server := all[0]
	if server.Parent != known[36:52] || server.Flags != 0x301 || all[1].Parent != server.ID || all[2].Parent != server.ID || all[1].ID == all[2].ID || all[1].Flags != 0x101 {
		t.Errorf("%+v", all)
	}
	if first[36:52] != all[1].ID || second[36:52] != all[2].ID || !slices.Equal(all[2].Events, []string{"response head"}) {
		t.Errorf("the origins were told %s and %s, %v", first, second, all)
	}
	wantMetric(t, set, "sluice_trace_spans_total 3")
	wantMetric(t, set, `sluice_trace_exports_total{result="done"} 1`)
}

func TestSaysWhatWentWrong(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(x *exchange.Exchange)
		want    string
		client  string
	}{
		"no endpoint answered": {func(x *exchange.Exchange) {
			attempted(x, "unix:/run/app.sock", &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindConnectionRefused}, 0)
			x.Response.Status, x.Err = 502, &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindConnectionRefused}
		}, "failed=true error.type=connection_refused status=502", "failed=true error.type=connection_refused status="},
		"the origin failed": {func(x *exchange.Exchange) { attempted(x, "http://10.0.0.7:80", nil, 500) }, "failed=true error.type=500 status=500", "failed=true error.type=500 status=500"},
		"the response broke off": {func(x *exchange.Exchange) {
			attempted(x, "http://10.0.0.7:80", nil, 200)
			x.Err, x.Notes.Aborted = &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindHTTPResponseIncomplete}, true
		}, "failed=true error.type=http_response_incomplete status=200", "failed=true error.type=http_response_incomplete status=200"},
		"the client left": {func(x *exchange.Exchange) {
			attempted(x, "http://10.0.0.7:80", nil, 200)
			x.Err, x.Notes.Aborted = &exchange.Error{Source: exchange.Downstream, Kind: exchange.KindConnectionTerminated}, true
		}, "failed=true error.type=connection_terminated status=200", "failed=false error.type= status=200"},
		"the client was refused": {func(x *exchange.Exchange) {
			x.Response.Status, x.Err = 403, &exchange.Error{Source: exchange.Downstream, Kind: exchange.KindHTTPRequestDenied}
		}, "failed=false error.type=http_request_denied status=403", ""},
	} {
		t.Run(name, func(t *testing.T) {
			tr, collector, _ := newTracer(t, Settings{})
			f := NewFilter(tr, 1, nobody)
			x := exchangetest.New("GET", "http://a.example/")
			f.Request(x)
			c.happens(x)
			f.Finish(x)
			tr.Flush(t.Context())
			var got []string
			for _, s := range collector.Spans() {
				got = append(got, fmt.Sprintf("failed=%v error.type=%s status=%s", s.Failed, s.Attributes["error.type"], s.Attributes["http.response.status_code"]))
			}
			want := []string{c.want, c.client}
			if c.client == "" {
				want = want[:1]
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// A request that is not valid has only what its codec could read.
func TestARefusedRequestHasASpan(t *testing.T) {
	tr, c, _ := newTracer(t, Settings{})
	f := NewFilter(tr, 1, nobody)
	x := exchangetest.New("", "http://")
	x.Request = exchange.Request{Method: "GÖT", Received: exchange.Received{Target: []byte("user:hush@\xff"), Version: "HTTP/1.1"}}
	x.Request.Path, x.Client.Addr = []byte("/\xff\"\n"), netip.Addr{}
	x.Response.Status, x.Err = 400, &exchange.Error{Source: exchange.Downstream, Kind: exchange.KindHTTPRequestError, Err: errors.New("hush")}
	f.Finish(x)
	tr.Flush(t.Context())
	all := c.Spans()
	if len(all) != 1 || all[0].Name != "HTTP" || all[0].Attributes["http.request.method"] != "_OTHER" || all[0].Attributes["http.request.method_original"] != "GÖT" ||
		all[0].Attributes["client.address"] != "192.0.2.1" || all[0].Attributes["url.path"] != `/\ufffd\u0022\u000a` && all[0].Attributes["url.path"] != `/\ufffd\"\u000a` {
		t.Errorf("%v", all)
	}
	if x.Notes.SpanID == [8]byte{} {
		t.Error("the log will not know the trace")
	}
}

func TestNoSecretIsInASpan(t *testing.T) {
	tr, c, _ := newTracer(t, Settings{})
	f := NewFilter(tr, 1, nobody)
	const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodXNoIn0.c2lnbmF0dXJlaHVzaGh1c2g"
	x := exchangetest.New("GET", "http://a.example/reset/"+token+"/x;password=hush?api_key=hush", "Authorization: Bearer hush", "Cookie: sid=hush", "User-Agent: x token=hush")
	f.Request(x)
	attempted(x, "http://10.0.0.7:80", nil, 200)
	f.Finish(x)
	tr.Flush(t.Context())
	all := c.Spans()
	if text := fmt.Sprint(all); len(all) != 2 || strings.Contains(text, "hush") || strings.Contains(text, "c2lnbmF0") || strings.Count(text, "REDACTED") < 4 {
		t.Error(text)
	}
}

// With the longest of everything, a buffer still has room for the spans of one exchange.
func TestSpansHaveABound(t *testing.T) {
	tr, c, _ := newTracer(t, Settings{})
	f := NewFilter(tr, 1, everyone)
	long := strings.Repeat("é\"", 8000)
	state := strings.Repeat("k", 200) + "=" + strings.Repeat("v", 200)
	x := exchangetest.New("GET", "http://"+long+":80/"+long, "traceparent: "+known, "tracestate: "+state, "User-Agent: "+long)
	x.Request.Method, x.Request.Scheme, x.Request.Received.Version = long, long, long
	x.Notes.Site, x.Notes.Route, x.Notes.Pool = long, "1 /"+long, long
	f.Request(x)
	for range exchange.AttemptsMax + 2 {
		attempted(x, "http://"+long+":80", nil, 500)
	}
	const bound = (1 + exchange.AttemptsMax) * spanBytesMax
	if got := len(appendSpans(nil, x, x.Trace)); got > bound || got < bound/4 || bound > otlp.BufferBytes {
		t.Errorf("%d bytes, of at most %d", got, bound)
	}
	f.Finish(x)
	tr.Flush(t.Context())
	if got := len(c.Spans()); got != 1+exchange.AttemptsMax {
		t.Errorf("%d spans", got)
	}
}

func TestManyLoopsAtOnce(t *testing.T) {
	tr, c, set := newTracer(t, Settings{})
	f := NewFilter(tr, 1, nobody)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				x := exchangetest.New("GET", "http://a.example/some/path")
				f.Request(x)
				attempted(x, "http://10.0.0.7:80", nil, 200)
				f.Finish(x)
			}
		})
	}
	all.Wait()
	tr.Flush(t.Context())
	ids := map[string]bool{}
	for _, s := range c.Spans() {
		ids[s.ID] = true
	}
	wantMetric(t, set, "sluice_trace_spans_total 3200")
	if len(c.Spans()) != 3200 || len(ids) != 3200 {
		t.Errorf("%d spans with %d IDs", len(c.Spans()), len(ids))
	}
}

func TestSwitchedOffMakesNoSpans(t *testing.T) {
	tr, c, set := newTracer(t, Settings{})
	f := NewFilter(tr, 1, nobody)
	x := exchangetest.New("GET", "http://a.example/")
	f.Request(x)
	tr.Apply(Settings{}) // a reload, while the exchange goes on
	f.Finish(x)
	tr.Flush(t.Context())
	if len(c.Spans()) != 0 || x.Trace != nil {
		t.Errorf("%v", c.Spans())
	}
	wantMetric(t, set, "sluice_trace_spans_total 0")
}

// run is an exchange with one attempt. What an exchange is made of is used again, as codecs do.
func run(x *exchange.Exchange, f *Filter, parent, state []byte) {
	d, s := x.Driver, x.Sender()
	x.Request.Fields.Reset()
	x.Scratch.Reset()
	if parent != nil {
		x.Request.Fields.Add(exchange.FieldTraceparent, parent)
		x.Request.Fields.Add(exchange.FieldTracestate, state)
	}
	x.Notes.SpanID = [8]byte{}
	x.Begin(d, s)
	f.Request(x)
	x.Trace.Begin(x)
	x.Response.Status = 200
	x.Trace.End(x, nil)
	f.Finish(x)
}

func TestNothingIsAllocated(t *testing.T) {
	tr := New(Options{Loops: 1, Set: metric.NewSet(1)})
	defer tr.Close(context.Background())
	tr.Apply(Settings{Export: otlp.Settings{URL: "http://127.0.0.1:1/", QueueBytes: 64 << 10}, Traces: 1 << 40, Per: time.Second})
	x := exchangetest.New("GET", "http://a.example/some/path")
	x.Notes.Site, x.Notes.Route, x.Notes.Endpoint = "a.example", "1 /some/*", "http://10.0.0.7:80"
	parent, state := []byte(known), []byte("a=1,b=2")
	for name, f := range map[string]*Filter{"sampled": NewFilter(tr, 1, nobody), "goes on": NewFilter(tr, 0, everyone), "not sampled": NewFilter(tr, 0, nobody)} {
		for range 1000 {
			run(x, f, parent, state)
		}
		// The exporter's goroutine, which fails to connect, may allocate meanwhile: a fraction of one for each exchange.
		if n := testing.AllocsPerRun(2000, func() { run(x, f, parent, state) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
