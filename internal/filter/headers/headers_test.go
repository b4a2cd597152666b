package headers

import (
	"slices"
	"testing"

	"sluice/internal/exchange"
	"sluice/internal/exchange/exchangetest"
	"sluice/internal/filter"
	"sluice/internal/filter/filtertest"
)

// both is the two filters as one.
type both struct {
	*requestEditor
	*responseEditor
}

func (both) Name() string { return Name }

func newFilter(t *testing.T, text string) filter.Filter {
	t.Helper()
	requests, responses, err := New(filtertest.MustDecode[Config](t, text))
	if err != nil {
		t.Fatal(err)
	}
	f := both{&requestEditor{}, &responseEditor{}}
	if requests != nil {
		f.requestEditor = requests.(*requestEditor)
	}
	if responses != nil {
		f.responseEditor = responses.(*responseEditor)
	}
	return f
}

func TestChangesRequests(t *testing.T) {
	f := newFilter(t, `
headers:
  request:
    remove: [X-Debug, x-internal-*]
    set: { X-Client: "{client_ip}", Accept: text/html, X-Twice: [a, "{host}"], X-Gone: [] }
    add: { X-Added: [1, 2], Accept: "*/*" }
`)
	x := exchangetest.New("GET", "http://a.example/", "X-Gone: 1", "Accept: a", "X-Debug: 1", "accept: b", "X-Internal-A: 1", "x-debug: 2", "X-Keep: 1", "X-INTERNAL-: 2")
	if v := f.(filter.Requester).Request(x); v != exchange.Continue {
		t.Errorf("verdict %v", v)
	}
	want := []string{"Accept: text/html", "X-Keep: 1", "X-Client: 192.0.2.1", "X-Twice: a", "X-Twice: a.example", "X-Added: 1", "X-Added: 2", "Accept: */*"}
	if got := exchangetest.Lines(&x.Request.Fields); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestChangesResponses(t *testing.T) {
	f := newFilter(t, `
headers:
  response:
    remove: Server
    set: { X-Status: "{response.status}/{response.header.ETag}", Location: "{path}" }
    add: { Set-Cookie: [c=3, d=4] }
`)
	x := exchangetest.New("GET", "http://a.example//evil.example")
	exchangetest.FromOrigin(x, 201, "", "Server: s", "Set-Cookie: a=1", "ETag: x", "Set-Cookie: b=2", "Location: /")
	f.(filter.Responder).Response(x)
	want := []string{"Set-Cookie: a=1", "ETag: x", "Set-Cookie: b=2", "Location: /evil.example", "X-Status: 201/x", "Set-Cookie: c=3", "Set-Cookie: d=4"}
	if got := exchangetest.Lines(&x.Response.Fields); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestOffLeavesOutWhatWasInherited(t *testing.T) {
	f := newFilter(t, "headers: { request: off, response: { set: off, add: { A: off, B: 1 }, remove: off } }")
	x := exchangetest.New("GET", "http://a/")
	f.(filter.Responder).Response(x)
	if got := exchangetest.Lines(&x.Response.Fields); !slices.Equal(got, []string{"B: 1"}) {
		t.Errorf("%q", got)
	}
}

func TestAPrefixDoesNotTakeFieldsOfTheConnection(t *testing.T) {
	f := newFilter(t, "headers: { response: { remove: 'C*' } }")
	x := exchangetest.New("GET", "http://a/")
	exchangetest.FromOrigin(x, 200, "", "Connection: upgrade", "Content-Type: a", "Content-Length: 1", "X: 1")
	f.(filter.Responder).Response(x)
	if got := exchangetest.Lines(&x.Response.Fields); !slices.Equal(got, []string{"Connection: upgrade", "Content-Length: 1", "X: 1"}) {
		t.Errorf("%q", got)
	}
}

func TestRefusesFields(t *testing.T) {
	filtertest.Refuses[Config](t, map[string]string{
		"headers: { request: { set: { Host: a } } }":                        "pool's setting host",
		"headers: { response: { set: { Host: a } } }":                       "for requests",
		"headers: { request: { add: { Transfer-Encoding: chunked } } }":     "framing",
		"headers: { response: { remove: [Content-Length] } }":               "1:33 bad-field",
		"headers: { response: { remove: connection } }":                     "belongs to one connection",
		"headers: { request: { set: { 'X Y': a } } }":                       "not a field name",
		"headers: { request: { set: { 'X': \"a\\nb\" } } }":                 "control",
		"headers: { request: { set: { 'X': '{response.status}' } } }":       "not a value",
		"headers: { request: { set: { X-A: 1, x-a: 2 } } }":                 "same field",
		"headers: { request: { set: { X-A: { a: 1 } } } }":                  "a text",
		"headers: { request: { set: [a] } }":                                "a map of field names",
		"headers: { response: { remove: ['*'] } }":                          "not a field name",
		"headers: { response: { remove: ['a*b*'] } }":                       "at the end only",
		"headers: { respnse: { remove: [a] } }":                             `did you mean "response"?`,
		"headers: { response: { set: { Location: 'https://{query.x}' } } }": "host of a redirect",
	})
}

func TestExamplesOfTheDocumentation(t *testing.T) {
	for _, text := range filtertest.Examples(t) {
		newFilter(t, text)
	}
}

func TestChangingFieldsAllocatesNothing(t *testing.T) {
	f := newFilter(t, "headers: { request: { remove: ['X-*', Accept], set: { X-Client: '{client_ip}' }, add: { X-B: a } }, response: { set: { X-C: '{host}' } } }")
	x := exchangetest.New("GET", "http://a/")
	value := []byte("1")
	if n := testing.AllocsPerRun(100, func() {
		x.Request.Fields.Add(exchange.FieldAccept, value)
		f.(filter.Requester).Request(x)
		f.(filter.Responder).Response(x)
		x.Scratch.Reset()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
