package observe

import (
	"testing"
	"time"

	"sluice/internal/exchange"
	"sluice/internal/observe/metric"
)

func attempt(connect, response time.Duration, reused bool) *exchange.Exchange {
	x := newExchange(200)
	x.Notes.Attempted = time.Second
	if connect >= 0 {
		x.Notes.Connected = time.Second + connect
	}
	if response >= 0 {
		x.Notes.ResponseBegan = x.Notes.Connected + response
	}
	x.Notes.Reused = reused
	return x
}

func TestCountsTheAttemptsOfAPool(t *testing.T) {
	set := metric.NewSet(2)
	p := NewMetrics(set).Pool("shop")
	p.Attempted(attempt(3*time.Millisecond, 7*time.Millisecond, false))
	p.Attempted(attempt(0, 7*time.Millisecond, true))
	p.Attempted(attempt(3*time.Millisecond, -1, false)) // no response
	p.Attempted(attempt(-1, -1, false))                 // no connection
	wantLines(t, set,
		`sluice_pool_connect_duration_seconds_count{pool="shop"} 2`, `sluice_pool_connect_duration_seconds_sum{pool="shop"} 0.006`,
		`sluice_pool_response_duration_seconds_count{pool="shop"} 2`, `sluice_pool_response_duration_seconds_sum{pool="shop"} 0.014`,
	)
}

func TestCountsRetriesByTheirReason(t *testing.T) {
	set := metric.NewSet(2)
	p := NewMetrics(set).Pool("shop")
	f := func(kind exchange.Kind, reused bool) {
		x := attempt(0, -1, reused)
		p.Retried(x, &exchange.Error{Source: exchange.Upstream, Kind: kind})
	}
	f(exchange.KindConnectionRefused, false)
	f(exchange.KindConnectionRefused, true) // the note is of an older attempt: nothing was kept
	f(exchange.KindConnectionTerminated, true)
	f(exchange.KindConnectionTerminated, false)
	f("new_kind", false)
	f("kept_connection_closed", false) // no kind of an error
	wantLines(t, set, `sluice_pool_retries_total{pool="shop",reason="connection_refused"} 2`,
		`sluice_pool_retries_total{pool="shop",reason="kept_connection_closed"} 1`, `sluice_pool_retries_total{pool="shop",reason="connection_terminated"} 1`,
		`sluice_pool_retries_total{pool="shop",reason="other"} 2`, `sluice_pool_retries_total{pool="shop",reason="dns_error"} 0`)
}

func TestCountingAnAttemptAllocatesNothing(t *testing.T) {
	p := NewMetrics(metric.NewSet(2)).Pool("a")
	x := attempt(time.Millisecond, time.Millisecond, false)
	why := &exchange.Error{Kind: exchange.KindConnectionTimeout}
	p.Attempted(x)
	if n := testing.AllocsPerRun(100, func() { p.Attempted(x); p.Retried(x, why) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
