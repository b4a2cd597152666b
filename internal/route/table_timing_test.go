package route

import (
	"fmt"
	"net/netip"
	"testing"

	"sluice/internal/exchange"
	"sluice/internal/exchange/exchangetest"
)

func manyHosts(tb testing.TB) *Table {
	var names []string
	for i := range 9000 {
		names = append(names, fmt.Sprintf("shop-%d.example.com", i))
	}
	for i := range 1000 {
		names = append(names, fmt.Sprintf("*.tenant-%d.example.org", i))
	}
	return build(tb, sitesOf(":80", names...))
}

func manyRules(tb testing.TB) *Table {
	s := siteOf("*")
	for i := range 500 {
		s.Rules = append(s.Rules, rule("exact", Match{Path: pathsOf(tb, fmt.Sprintf("/api/v1/resource-%d", i)), Method: []string{"GET", "POST"}}))
		s.Rules = append(s.Rules, rule("below", Match{Path: pathsOf(tb, fmt.Sprintf("/app/%d/static/*", i))}))
	}
	return build(tb, []Site{s})
}

// request is what a benchmark asks.
type request struct {
	name  string
	table *Table
	x     *exchange.Exchange
}

func requests(tb testing.TB) []request {
	hosts, rules := manyHosts(tb), manyRules(tb)
	conditions := build(tb, []Site{siteOf("*", rule("0", Match{
		Header: []FieldMatch{{"X-Version", patternsOf("2*")}}, Query: []ParamMatch{{"q", patternsOf("a*c")}}, PathRegexp: regexps(`^/a/[0-9]+$`),
		ClientIP: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
	}))})
	return []request{
		{"hosts=10000/exact", hosts, exchangetest.New("GET", "http://shop-4711.example.com/")},
		{"hosts=10000/wildcard", hosts, exchangetest.New("GET", "http://www.tenant-471.example.org/")},
		{"hosts=10000/none", hosts, exchangetest.New("GET", "http://a.b.c.d.example.net/")},
		{"rules=1000/exact", rules, exchangetest.New("POST", "http://a.example/api/v1/resource-471")},
		{"rules=1000/below", rules, exchangetest.New("GET", "http://a.example/app/471/static/js/main.js")},
		{"rules=1000/none", rules, exchangetest.New("GET", "http://a.example/api/v2/other")},
		{"conditions", conditions, exchangetest.New("GET", "http://a.example/a/471?q=a%62c", "Accept: */*", "User-Agent: curl", "X-Version: 2.1")},
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, r := range requests(b) {
		b.Run(r.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.table.Match(r.x)
			}
		})
	}
}

// BenchmarkMatchLinear is what the index saves.
func BenchmarkMatchLinear(b *testing.B) {
	for _, r := range requests(b)[3:6] {
		s := r.table.listeners[":80"].any
		b.Run(r.name, func(b *testing.B) {
			for b.Loop() {
				for i := range s.rules {
					m := &s.rules[i].Matches[0]
					if m.Path[0].matches(r.x.Request.MatchPath) && m.holds(r.x) {
						break
					}
				}
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for b.Loop() {
		manyRules(b)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	for _, r := range requests(t) {
		if n := testing.AllocsPerRun(100, func() { r.table.Match(r.x) }); n != 0 {
			t.Errorf("%s: %v allocations", r.name, n)
		}
	}
}
