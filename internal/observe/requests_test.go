package observe

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"sluice/internal/exchange"
	"sluice/internal/filter"
	"sluice/internal/loop"
	"sluice/internal/observe/metric"
)

// fakeDriver is a driver that only tells who and when it is.
type fakeDriver struct {
	loop.Driver
	now time.Duration
}

func (d fakeDriver) ID() int            { return 1 }
func (d fakeDriver) Now() time.Duration { return d.now }

func newExchange(status int) *exchange.Exchange {
	x := &exchange.Exchange{}
	x.Begin(fakeDriver{now: 3 * time.Second}, nil)
	x.Response.Status = status
	x.Notes = exchange.Notes{Began: 3*time.Second - 4*time.Millisecond, HeadIn: 100, ContentIn: 11, HeadOut: 200, ContentOut: 22, Attempts: 1}
	return x
}

func wantLines(t *testing.T, set *metric.Set, lines ...string) {
	t.Helper()
	var b bytes.Buffer
	if err := set.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if !strings.Contains(b.String(), line+"\n") {
			t.Errorf("no line %s in\n%s", line, b.String())
		}
	}
}

func TestCountsRequestsOfASite(t *testing.T) {
	set := metric.NewSet(2)
	f := NewMetrics(set).Site("shop")
	chain := filter.NewChain([]filter.Filter{f}, nil)
	for i, status := range []int{200, 204, 302, 404, 503, 101, 0, 999, -5} {
		x := newExchange(status)
		x.Request.Method = []string{"GET", "get", "", "GET", "GET"}[min(i, 4)]
		chain.Finish(x)
	}
	x := newExchange(502)
	x.Request.Method = "BREW"
	x.Notes.Attempts, x.Notes.Aborted = 3, true
	x.Err = &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindConnectionRefused}
	f.Finish(x)
	wantLines(t, set,
		`sluice_requests_total{site="shop",class="2xx"} 2`, `sluice_requests_total{site="shop",class="3xx"} 1`,
		`sluice_requests_total{site="shop",class="4xx"} 1`, `sluice_requests_total{site="shop",class="5xx"} 2`,
		`sluice_requests_total{site="shop",class="1xx"} 1`, `sluice_requests_total{site="shop",class="none"} 3`,
		`sluice_received_bytes_total{site="shop"} 1110`, `sluice_sent_bytes_total{site="shop"} 2220`,
		`sluice_request_duration_seconds_count{site="shop"} 9`, `sluice_request_duration_seconds_bucket{site="shop",le="0.005"} 9`,
		`sluice_requests_by_method_total{method="GET"} 7`, `sluice_requests_by_method_total{method="other"} 3`,
		`sluice_failed_requests_total{site="shop",source="upstream"} 1`, `sluice_failed_requests_total{site="shop",source="downstream"} 0`,
		`sluice_retries_total{site="shop"} 2`, `sluice_aborted_responses_total{site="shop"} 1`,
		`sluice_errors_total{source="upstream",kind="connection_refused"} 1`,
	)
}

func TestCountsErrorsOfAnyKind(t *testing.T) {
	set := metric.NewSet(2)
	f := NewMetrics(set).Site("")
	for _, err := range []exchange.Error{{Kind: "new_kind"}, {Source: 77, Kind: "new_kind"}, {Source: exchange.Downstream, Kind: exchange.KindHTTPRequestError}} {
		x := newExchange(400)
		x.Err = &err
		f.Finish(x)
	}
	wantLines(t, set, `sluice_failed_requests_total{site="",source="upstream"} 1`, `sluice_errors_total{source="internal",kind="other"} 1`, `sluice_errors_total{source="upstream",kind="other"} 1`,
		`sluice_errors_total{source="downstream",kind="http_request_error"} 1`, `sluice_requests_total{site="",class="4xx"} 3`)
}

func TestCountersSurviveAReload(t *testing.T) {
	set := metric.NewSet(2)
	NewMetrics(set).Site("a").Finish(newExchange(200))
	NewMetrics(set).Site("a").Finish(newExchange(200))
	NewMetrics(set).Reached(0, "limits.head")
	NewMetrics(set).Reached(1, "limits.head")
	wantLines(t, set, `sluice_requests_total{site="a",class="2xx"} 2`, `sluice_limits_reached_total{limit="limits.head"} 2`)
}

func TestCountsTheLimitThatAnErrorNames(t *testing.T) {
	set := metric.NewSet(2)
	f := NewMetrics(set).Site("")
	for _, key := range append([]string{"limits.head", "not a limit"}, limits...) {
		x := newExchange(431)
		x.Err = &exchange.Error{Source: exchange.Downstream, Kind: exchange.KindHTTPRequestError, Limit: key}
		f.Finish(x)
	}
	wantLines(t, set, `sluice_limits_reached_total{limit="limits.head"} 2`, `sluice_limits_reached_total{limit="limits.requests"} 1`,
		`sluice_errors_total{source="downstream",kind="http_request_error"} 24`)
}

func TestTellsAboutTheProcess(t *testing.T) {
	set := metric.NewSet(1)
	Process(set, "1.2.3", time.Unix(1_700_000_000, 500_000_000))
	wantLines(t, set, "process_start_time_seconds 1.7000000005e+09", `sluice_build_info{version="1.2.3",go="`+runtime.Version()+`"} 1`)
	var b bytes.Buffer
	set.WriteText(&b)
	for _, bad := range []string{" NaN\n", "_bytes 0\n", "_fds 0\n", "_total -"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q in\n%s", bad, b.String())
		}
	}
	for _, f := range set.Families() {
		if !strings.Contains(b.String(), "\n"+f.Name+" ") && !strings.Contains(b.String(), "\n"+f.Name+"{") {
			t.Errorf("%s is not known", f.Name)
		}
	}
}

func TestCountingAnExchangeAllocatesNothing(t *testing.T) {
	f := NewMetrics(metric.NewSet(2)).Site("a")
	x := newExchange(502)
	x.Err = &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindHTTPResponseTimeout, Limit: "timeouts.response"}
	f.Finish(x)
	if n := testing.AllocsPerRun(100, func() { f.Finish(x) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
