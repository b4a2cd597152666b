package build

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/internal/config"
	"sluice/internal/exchange/exchangetest"
	"sluice/internal/route"
)

// compiled decodes and compiles the YAML of a match, and returns what was wrong as "line:column text".
func compiled(text string) (config.Match, []route.Match, []string) {
	var d config.Decoder
	var from config.Match
	if n := d.Parse(config.Text("t.yaml", text), "t.yaml"); n != nil {
		d.Decode(n, &from)
	}
	matches := compileMatch(&d, from)
	var wrong []string
	for _, diag := range d.Diagnostics {
		wrong = append(wrong, fmt.Sprintf("%d:%d %s", diag.Pos.Line, diag.Pos.Column, diag.Text))
	}
	return from, matches, wrong
}

func TestCompilesWhatTheConfigurationSays(t *testing.T) {
	_, matches, wrong := compiled(`
- /static/*
- host: [a.example, "*.b.example"]
  path: /käse
  path_regexp: ^/k
  method: GET
  header: { X-Version: [1, "2*"] }
  query: { debug: "*" }
  client_ip: 192.0.2.0/24
`)
	if len(wrong) > 0 || len(matches) != 2 {
		t.Fatalf("%q %+v", wrong, matches)
	}
	table, _ := route.Build([]route.Site{
		{Listener: ":80", Rules: []route.Rule{{Matches: matches, Route: &route.Route{Name: "0"}}}, Route: &route.Route{Name: "site"}},
	}, route.Fallbacks{})
	for target, want := range map[string]string{
		"http://c.example/static/x": "0", "http://x.b.example/k%C3%A4se?debug": "0", "http://a.example/k%C3%A4se": "site", "http://a.example/k?debug": "site",
	} {
		if got := table.Match(exchangetest.New("GET", target, "X-Version: 2.1")).Name; got != want {
			t.Errorf("%s goes to %s, want %s", target, got, want)
		}
	}
}

func TestFaultyPatternsAreReportedAtTheirPlaces(t *testing.T) {
	_, matches, wrong := compiled(`
- /%zz
- host: [a.example, "a:80"]
  path: [/a, /b?c]
- header: { host: a.example }
- path_regexp: ` + strings.Repeat("a", 1001) + `
`)
	want := []string{"2:3 ", "3:21 ", "4:14 ", "5:11 ", "6:16 "}
	if !slices.EqualFunc(wrong, want, strings.HasPrefix) || matches != nil {
		t.Errorf("%q", wrong)
	}
}

func TestAProblemKnowsItsPlace(t *testing.T) {
	first, all, _ := compiled("/a*")
	second, some, _ := compiled("\n- { path: /z }\n- { path: [/b, /ab] }\n- { path: /ac, method: GET }\n- /ad")
	_, problems := route.Build([]route.Site{{Route: &route.Route{}, Rules: []route.Rule{{Matches: all, Route: &route.Route{}}, {Matches: some, Route: &route.Route{}}}}}, route.Fallbacks{})
	var places []string
	for _, p := range problems {
		pos := placeOf(p, second).Pos
		places = append(places, fmt.Sprintf("%d:%d", pos.Line, pos.Column))
	}
	if !slices.Equal(places, []string{"3:16", "4:11", "5:3"}) {
		t.Errorf("%v %v", problems, places)
	}
	if p := problems[0]; p.By != 0 || placeOf(p, first) != nil {
		t.Errorf("%+v", p)
	}
}
