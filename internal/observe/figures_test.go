package observe

import (
	"reflect"
	"testing"
	"time"

	"sluice/internal/exchange"
	"sluice/internal/observe/metric"
)

func TestFiguresAreWhatWasCounted(t *testing.T) {
	m := NewMetrics(metric.NewSet(2))
	m.Site("b").Finish(newExchange(200))
	m.Site("a") // no traffic
	before := m.Figures()
	x := newExchange(502)
	x.Err = &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindConnectionRefused}
	x.Notes.Attempts, x.Notes.Aborted = 3, true
	m.Site("b").Finish(x)

	all := m.Figures()
	if len(all) != 2 || all[0].Site != "a" || all[1].Site != "b" {
		t.Fatalf("%+v", all)
	}
	if all[0].Total() != 0 || all[1].Total() != 2 || all[1].Requests[2] != 1 || all[1].Requests[5] != 1 {
		t.Errorf("requests %v and %v", all[0].Requests, all[1].Requests)
	}
	d := all[1].Sub(before[1])
	got := [...]int64{d.Total(), d.Requests[5], d.Received, d.Sent, d.Failed(exchange.Upstream), d.Failed(exchange.Downstream), d.Retries, d.Aborted, d.Duration.Count()}
	if want := [...]int64{1, 1, 111, 222, 1, 0, 2, 1, 1}; got != want || d.Site != "b" {
		t.Errorf("since then %v, want %v", got, want)
	}
	if q := d.Duration.Quantile(0.5); q <= 3*time.Millisecond || q > 4*time.Millisecond {
		t.Errorf("median %v", q)
	}
}

func TestPoolFiguresAreWhatWasCounted(t *testing.T) {
	m := NewMetrics(metric.NewSet(2))
	p := m.Pool("b")
	m.Pool("a")
	p.Attempted(attempt(time.Millisecond, 2*time.Millisecond, false))
	before := m.PoolFigures()
	x := attempt(0, 4*time.Millisecond, true)
	p.Attempted(x)
	p.Retried(x, &exchange.Error{Kind: exchange.KindConnectionTerminated})
	p.Retried(x, &exchange.Error{Kind: exchange.KindDNSError})
	all := m.PoolFigures()
	if len(all) != 2 || all[0].Pool != "a" || all[1].Pool != "b" || all[1].Response.Count() != 2 {
		t.Fatalf("%+v", all)
	}
	if d := all[1].Sub(before[1]); d.Pool != "b" || d.Retries != 2 || d.Connect.Count() != 0 || d.Response.Count() != 1 || d.Response.Mean() != 4*time.Millisecond {
		t.Errorf("since then %d retries, %d connects, %d responses", d.Retries, d.Connect.Count(), d.Response.Count())
	}
}

func TestForgetsSitesAndPoolsThatAreGone(t *testing.T) {
	m := NewMetrics(metric.NewSet(2))
	kept, gone := m.Site("kept"), m.Site("gone")
	pool, gonePool := m.Pool("kept"), m.Pool("gone")
	if m.Site("kept") != kept || m.Pool("kept") != pool {
		t.Error("a second look-up made a second site or pool")
	}
	m.Retain(map[string]bool{"kept": true}, map[string]bool{"kept": true})
	if len(m.Figures()) != 1 || len(m.PoolFigures()) != 1 {
		t.Error("figures of what is gone")
	}
	if m.Site("kept") != kept || m.Site("gone") == gone || m.Pool("kept") != pool || m.Pool("gone") == gonePool {
		t.Error("a site that came back has its old counters, or one that stayed has not")
	}
}

func TestSubtractingFiguresLeavesNothingOfThemselves(t *testing.T) {
	m := NewMetrics(metric.NewSet(2))
	x := newExchange(404)
	x.Err = &exchange.Error{}
	x.Notes.Attempts, x.Notes.Aborted = 2, true
	m.Site("a").Finish(x)
	f := m.Figures()[0]
	if d := f.Sub(f); !reflect.DeepEqual(d, Figures{Site: "a"}) {
		t.Errorf("%+v", d)
	}
}
