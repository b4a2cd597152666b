package filter_test

import (
	"slices"
	"strings"
	"testing"

	"sluice/internal/exchange"
	"sluice/internal/filter"
)

// steps notes what ran, in order.
type steps []string

// A named filter has a name and no phase.
type named struct {
	name string
	ran  *steps
}

func (f *named) Name() string      { return f.name }
func (f *named) note(phase string) { *f.ran = append(*f.ran, phase+" "+f.name) }

// A requester has the request phase.
type requester struct {
	named
	verdict exchange.Verdict
}

func (f *requester) Request(*exchange.Exchange) exchange.Verdict {
	f.note("request")
	return f.verdict
}

// A responder has the response phase alone.
type responder struct{ named }

func (f *responder) Response(*exchange.Exchange) { f.note("response") }

// A full filter has all phases.
type full struct{ requester }

func (f *full) Response(*exchange.Exchange) { f.note("response") }
func (f *full) Finish(*exchange.Exchange)   { f.note("finish") }

// run carries an exchange through c and returns what ran.
func run(c *filter.Chain, ran *steps) (string, exchange.Verdict) {
	*ran = nil
	x := &exchange.Exchange{}
	reached, verdict := c.Request(x)
	if verdict != exchange.Drop {
		c.Response(x, reached)
	}
	c.Finish(x)
	return strings.Join(*ran, ", "), verdict
}

func TestPhasesRunInTheirOrders(t *testing.T) {
	var ran steps
	a, b, c := &full{requester{named{"a", &ran}, 0}}, &requester{named{"b", &ran}, 0}, &responder{named{"c", &ran}}
	d := &full{requester{named{"d", &ran}, 0}}
	chain := filter.NewChain([]filter.Filter{a, b, c, d}, []filter.Filter{d, a, c})
	got, verdict := run(&chain, &ran)
	if want := "request a, request b, request d, response d, response a, response c, finish a, finish d"; got != want || verdict != exchange.Continue {
		t.Errorf("%s; %v", got, verdict)
	}
	if !slices.Equal(chain.Filters(), []filter.Filter{a, b, c, d}) {
		t.Error("Filters")
	}
}

// Response phases run for the filters that the request reached, up to the one that answered; a filter without a request phase counts by its place.
func TestFiltersThatWereNotReachedDoNotRespond(t *testing.T) {
	for _, c := range []struct {
		verdict exchange.Verdict
		want    string
	}{
		{exchange.Continue, "request a, request b, request d, response d, response c, response b, response a, finish a, finish b, finish d"},
		{exchange.Answered, "request a, request b, response c, response b, response a, finish a, finish b, finish d"},
		{exchange.Drop, "request a, request b, finish a, finish b, finish d"},
	} {
		var ran steps
		a, b := &full{requester{named{"a", &ran}, 0}}, &full{requester{named{"b", &ran}, c.verdict}}
		r, d := &responder{named{"c", &ran}}, &full{requester{named{"d", &ran}, 0}}
		chain := filter.NewChain([]filter.Filter{a, b, r, d}, []filter.Filter{d, r, b, a})
		got, verdict := run(&chain, &ran)
		if got != c.want || verdict != c.verdict {
			t.Errorf("verdict %v: %s", verdict, got)
		}
	}
}

// A request that was refused before the filters reached none of them: only what stands before every request phase responds.
func TestNoFilterWasReached(t *testing.T) {
	var ran steps
	first, a, last := &responder{named{"first", &ran}}, &full{requester{named{"a", &ran}, 0}}, &responder{named{"last", &ran}}
	chain := filter.NewChain([]filter.Filter{first, a, last}, []filter.Filter{last, a, first})
	chain.Response(&exchange.Exchange{}, 0)
	if got := strings.Join(ran, ", "); got != "response first" {
		t.Errorf("%s", got)
	}
}

func TestTheEmptyChainContinues(t *testing.T) {
	var chain filter.Chain
	var ran steps
	if got, verdict := run(&chain, &ran); got != "" || verdict != exchange.Continue || len(chain.Filters()) != 0 {
		t.Errorf("%q %v", got, verdict)
	}
}

func TestARunOfAChainAllocatesNothing(t *testing.T) {
	var filters []filter.Filter
	for range 5 {
		filters = append(filters, &quiet{})
	}
	chain := filter.NewChain(filters, filters)
	x := &exchange.Exchange{}
	if n := testing.AllocsPerRun(100, func() {
		reached, _ := chain.Request(x)
		chain.Response(x, reached)
		chain.Finish(x)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A quiet filter has all phases and does nothing.
type quiet struct{ n int }

func (*quiet) Name() string                                { return "quiet" }
func (*quiet) Request(*exchange.Exchange) exchange.Verdict { return exchange.Continue }
func (q *quiet) Response(*exchange.Exchange)               { q.n++ }
func (q *quiet) Finish(*exchange.Exchange)                 { q.n++ }
