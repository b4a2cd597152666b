package respond

import (
	"slices"
	"testing"

	"sluice/internal/exchange"
	"sluice/internal/exchange/exchangetest"
	"sluice/internal/filter"
	"sluice/internal/filter/filtertest"
)

// answer runs the filter that text configures and returns what the client gets.
func answer(t *testing.T, text, method, target string) *exchangetest.Sender {
	t.Helper()
	f, err := New(filtertest.MustDecode[Config](t, text))
	if err != nil {
		t.Fatal(err)
	}
	x := exchangetest.New(method, target)
	if v := f.(filter.Requester).Request(x); v != exchange.Answered {
		t.Fatalf("verdict %v", v)
	}
	return exchangetest.Send(x)
}

func TestAnswersWithStatusBodyAndFields(t *testing.T) {
	s := answer(t, `respond: { status: 503, body: "back soon\n", headers: { Retry-After: 60, X-Host: "{host}", Set-Cookie: [a=1, b=2] } }`, "GET", "http://a.example/")
	want := []string{"Content-Type: text/plain; charset=utf-8", "Retry-After: 60", "X-Host: a.example", "Set-Cookie: a=1", "Set-Cookie: b=2"}
	if s.Status != 503 || s.Content != "back soon\n" || !slices.Equal(s.Fields, want) {
		t.Errorf("%+v", s)
	}
}

func TestTheContentTypeCanBeSet(t *testing.T) {
	s := answer(t, `respond: { body: "{}", headers: { content-type: application/json } }`, "GET", "http://a/")
	if s.Status != 200 || s.Content != "{}" || !slices.Equal(s.Fields, []string{"Content-Type: application/json"}) {
		t.Errorf("%+v", s)
	}
}

func TestTheShortFormIsAStatus(t *testing.T) {
	if s := answer(t, "respond: 404", "GET", "http://a/"); s.Status != 404 || s.Content != "" || len(s.Fields) > 0 {
		t.Errorf("%+v", s)
	}
}

func TestHeadHasNoContent(t *testing.T) {
	if s := answer(t, "respond: { body: text }", "HEAD", "http://a/"); s.Status != 200 || s.Content != "" || len(s.Fields) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestRefusesWhatNoResponseHas(t *testing.T) {
	filtertest.Refuses[Config](t, map[string]string{
		"respond: 101": "1:10 out-of-range", "respond: { status: 600 }": "1:20 out-of-range", "respond: { status: 204, body: x }": "no-content", "respond: hello": "whole number",
		"respond: { headers: { Content-Length: 3 } }": "framing", "respond: { headers: { X: \"{hots}\" } }": `did you mean "host"?`, "respond: { boby: x }": `did you mean "body"?`,
	})
}

func TestExamplesOfTheDocumentation(t *testing.T) {
	for _, text := range filtertest.Examples(t) {
		if _, err := New(filtertest.MustDecode[Config](t, text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAnsweringAllocatesNothing(t *testing.T) {
	f, _ := New(filtertest.MustDecode[Config](t, `respond: { body: text, headers: { X-Host: "{host}" } }`))
	x := exchangetest.New("GET", "http://a/")
	if n := testing.AllocsPerRun(100, func() {
		f.(filter.Requester).Request(x)
		x.Scratch.Reset()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
