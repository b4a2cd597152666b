package serve

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sluice/internal/exchange"
	"sluice/internal/exchange/exchangetest"
	"sluice/internal/filter"
	"sluice/internal/forward"
	"sluice/internal/route"
	"sluice/internal/snapshot"
)

// secret is what no answer may have in it: an origin's address.
const secret = "10.0.0.99:8080"

// A stub is filter and forwarder in one, and notes what is asked of it.
type stub struct {
	verdict   exchange.Verdict
	admission exchange.Verdict
	refusal   error // of Admit
	failure   error // of Do
	panics    string
	ran       []string
}

func (s *stub) note(step string) {
	s.ran = append(s.ran, step)
	if s.panics == step {
		panic("planted in " + step)
	}
}

func (s *stub) Name() string { return "stub" }

func (s *stub) Request(x *exchange.Exchange) exchange.Verdict {
	s.note("request")
	if s.verdict == exchange.Answered {
		x.Respond(201, "text/plain", []byte("by the filter"))
	}
	return s.verdict
}

func (s *stub) Response(*exchange.Exchange) { s.note("response") }
func (s *stub) Finish(*exchange.Exchange)   { s.note("finish") }

func (s *stub) Admit(x *exchange.Exchange) (exchange.Verdict, error) {
	s.note("admit")
	if s.admission == exchange.Answered {
		x.Respond(202, "text/plain", []byte("by the forwarder"))
	}
	return s.admission, s.refusal
}

func (s *stub) Do(x *exchange.Exchange) error {
	s.note("do")
	if s.failure == nil {
		exchangetest.FromOrigin(x, 200, "by the origin")
	}
	return s.failure
}

// server is a Server whose only route is s. What is refused before ends in the finish phase of s, too.
func server(s *stub) *Server {
	r := &route.Route{Site: "a site", Name: "a route", Chain: filter.NewChain([]filter.Filter{s}, []filter.Filter{s}), Forward: s}
	table, _ := route.Build([]route.Site{{Listener: ":80", Route: r}}, route.Fallbacks{Misdirected: r, PathTooLong: r})
	server := &Server{Current: &snapshot.Current{}}
	server.Current.Store(&snapshot.Snapshot{
		Routes: table, Trust: forward.NewTrust(forward.TrustSettings{}), Dates: new(forward.Dates), Refused: filter.NewChain([]filter.Filter{s}, nil),
	})
	return server
}

// exchanged has s carry a request, and returns the exchange with what its client got.
func exchanged(s *stub, method string) (*exchange.Exchange, *exchangetest.Sender) {
	x := exchangetest.New(method, "http://a.example/")
	server(s).Exchange(x)
	return x, x.Sender().(*exchangetest.Sender)
}

func TestTheWayOfARequest(t *testing.T) {
	for _, c := range []struct {
		name   string
		stub   stub
		method string
		status int // 0: dropped
		ran    string
	}{
		{"forwarded", stub{}, "GET", 200, "admit request do response finish"},
		{"answered by a filter", stub{verdict: exchange.Answered}, "GET", 201, "admit request response finish"},
		{"answered by the forwarder", stub{admission: exchange.Answered}, "GET", 202, "admit finish"},
		{"dropped", stub{verdict: exchange.Drop}, "GET", 0, "admit request finish"},
		{"not admitted", stub{refusal: exchange.ContentTooLarge()}, "GET", 413, "admit finish"},
		{"failed", stub{failure: errors.New(secret)}, "GET", 500, "admit request do response finish"},
		{"TRACE", stub{}, "TRACE", 405, "finish"},
		{"CONNECT", stub{}, "CONNECT", 405, "finish"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, sent := exchanged(&c.stub, c.method)
			if got := strings.Join(c.stub.ran, " "); got != c.ran {
				t.Errorf("ran %s, want %s", got, c.ran)
			}
			if sent.Status != c.status || x.Notes.Site != "a site" || x.Notes.Route != "a route" {
				t.Errorf("status %d, notes %+v", sent.Status, x.Notes)
			}
			if c.status > 0 && !strings.Contains(fmt.Sprint(sent.Fields), "Date: ") {
				t.Errorf("no Date in %q", sent.Fields)
			}
			if x.Notes.Aborted != (c.status == 0) {
				t.Errorf("aborted %v", x.Notes.Aborted)
			}
		})
	}
}

func TestARefusalOfAMethodSaysWhatIsAllowed(t *testing.T) {
	_, sent := exchanged(&stub{}, "TRACE")
	if !strings.Contains(fmt.Sprint(sent.Fields), "Allow: GET") {
		t.Errorf("%q", sent.Fields)
	}
}

func TestARequestThatIsNotValidSeesNoFilter(t *testing.T) {
	s := &stub{}
	x := exchangetest.New("GET", "http://a.example/")
	x.Err = &exchange.Error{Source: exchange.Downstream, Kind: exchange.KindHTTPRequestError, Status: 431, Limit: "limits.head", Op: "read request head"}
	server(s).Refuse(x)
	if sent := x.Sender().(*exchangetest.Sender); sent.Status != 431 || strings.Join(s.ran, " ") != "finish" {
		t.Errorf("status %d, ran %q", sent.Status, s.ran)
	}
}

// The finish phases run, and the panic goes on to the driver, which ends this connection alone.
func TestAPanicInAFilterIsLoggedAndCounted(t *testing.T) {
	for _, where := range []string{"admit", "request", "do", "response"} {
		s := &stub{panics: where}
		func() {
			defer func() {
				if r := recover(); r != "planted in "+where {
					t.Errorf("%s: recovered %v", where, r)
				}
			}()
			exchanged(s, "GET")
		}()
		if s.ran[len(s.ran)-1] != "finish" {
			t.Errorf("%s: ran %q", where, s.ran)
		}
	}
}

// broken is content that fails after its first piece.
type broken struct {
	exchange.Content
	next   int
	closed int
	err    error
}

func (b *broken) Next() ([]byte, error) {
	if b.next++; b.next == 1 {
		return []byte("part"), nil
	}
	return nil, b.err
}

func (b *broken) Close() { b.closed++ }

// A brokenOrigin answers with content that fails.
type brokenOrigin struct {
	stub
	content *broken
}

func (o *brokenOrigin) Do(x *exchange.Exchange) error {
	exchangetest.FromOrigin(x, 200, "")
	x.Response.Content = o.content
	return nil
}

func TestAResponseThatBreaksOffIsAborted(t *testing.T) {
	for _, err := range []error{&exchange.Error{Source: exchange.Upstream, Kind: exchange.KindHTTPResponseIncomplete, Op: "read"}, errors.New("other")} {
		s := &brokenOrigin{content: &broken{err: err}}
		srv := server(&s.stub)
		snap := srv.Current.Load()
		r := &route.Route{Forward: s}
		snap.Routes, _ = route.Build([]route.Site{{Listener: ":80", Route: r}}, route.Fallbacks{Misdirected: r, PathTooLong: r})
		x := exchangetest.New("GET", "http://a.example/")
		srv.Exchange(x)
		sent := x.Sender().(*exchangetest.Sender)
		if sent.Content != "part" || sent.Aborted == nil || !x.Notes.Aborted || x.Err == nil || s.content.closed == 0 {
			t.Errorf("%+v, %+v, closed %d times", sent, x.Notes, s.content.closed)
		}
	}
}

// kinds are all error kinds with the status that answers them when the error names none.
var kinds = map[exchange.Kind]int{
	exchange.KindDestinationNotFound: 500, exchange.KindDestinationUnavailable: 503, exchange.KindDNSError: 502, exchange.KindDNSTimeout: 504,
	exchange.KindConnectionRefused: 502, exchange.KindConnectionTerminated: 502, exchange.KindConnectionTimeout: 504,
	exchange.KindConnectionReadTimeout: 504, exchange.KindConnectionWriteTimeout: 504, exchange.KindConnectionLimit: 503,
	exchange.KindHTTPRequestError: 400, exchange.KindHTTPRequestDenied: 403, exchange.KindHTTPResponseIncomplete: 502,
	exchange.KindHTTPHeadTooLarge: 502, exchange.KindHTTPLineTooLarge: 502, exchange.KindHTTPTransferCoding: 502, exchange.KindHTTPUpgradeFailed: 502,
	exchange.KindHTTPResponseTimeout: 504, exchange.KindHTTPProtocolError: 502, exchange.KindProxyInternalError: 500,
	exchange.KindProxyConfigurationError: 500, exchange.KindProxyLoopDetected: 502, "a_kind_to_come": 502,
}

func TestEachKindOfErrorHasItsStatus(t *testing.T) {
	for kind, want := range kinds {
		if got := statusOf(&exchange.Error{Source: exchange.Upstream, Kind: kind}); got != want {
			t.Errorf("%s answers %d, want %d", kind, got, want)
		}
		if got := statusOf(&exchange.Error{Source: exchange.Upstream, Kind: kind, Status: 418}); got != 418 {
			t.Errorf("%s answers %d in spite of its status", kind, got)
		}
	}
	if got := statusOf(&exchange.Error{Source: exchange.Downstream, Kind: exchange.KindConnectionTerminated}); got != 400 {
		t.Errorf("a client that broke off gets %d", got)
	}
}

func TestNoTextOfAnErrorReachesTheClient(t *testing.T) {
	reason := fmt.Errorf("dial tcp %s: connection refused", secret)
	for kind, status := range kinds {
		for _, err := range []error{
			&exchange.Error{Source: exchange.Upstream, Kind: kind, Op: "connect " + secret, Err: reason},
			fmt.Errorf("wrapped by %s: %w", secret, &exchange.Error{Source: exchange.Upstream, Kind: kind, Op: secret, Err: reason}),
		} {
			x, sent := exchanged(&stub{failure: err}, "GET")
			if sent.Status != status {
				t.Errorf("%s answers %d, want %d", kind, sent.Status, status)
			}
			if all := fmt.Sprint(sent.Fields, sent.Content); strings.Contains(all, "10.0.0.99") || strings.Contains(all, string(kind)) {
				t.Errorf("%s: the client learns %s", kind, all)
			}
			if x.Err == nil || !strings.HasPrefix(sent.Content, fmt.Sprint(status, " ")) {
				t.Errorf("%s: error %v, content %q", kind, x.Err, sent.Content)
			}
		}
	}
}

// A filter or forwarder that fails after it had begun a response: nothing of that is sent.
func TestARefusalTakesNothingFromTheResponseBefore(t *testing.T) {
	x := exchangetest.New("GET", "http://a.example/")
	content := &broken{}
	exchangetest.FromOrigin(x, 200, "", "Set-Cookie: a=b", "Server: "+secret)
	x.Response.Content = content
	refuse(x, errors.New(secret))
	sent := exchangetest.Send(x)
	if sent.Status != 500 || strings.Contains(fmt.Sprint(sent.Fields), "=") && strings.Contains(fmt.Sprint(sent.Fields), "Cookie") || content.closed != 1 {
		t.Errorf("%+v, closed %d times", sent, content.closed)
	}
	if strings.Contains(fmt.Sprint(sent), secret) || x.Response.Origin {
		t.Errorf("%+v", sent)
	}
}
