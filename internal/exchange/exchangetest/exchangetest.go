// Package exchangetest makes exchanges for tests: ready for a filter, the router or the forwarder, with a Sender that keeps what is sent.
//
// New does what a codec does with a well-formed request and nothing more; it does not check. Its driver is loop.Goroutines, which starts nothing until it
// is asked to. Sent reads the content to its end, as a codec does.
package exchangetest

import (
	"errors"
	"io"
	"net/netip"
	"strings"

	"sluice/internal/exchange"
	"sluice/internal/loop"
)

// ClientAddr is the address of the client of an exchange that New returns.
const ClientAddr = "192.0.2.1"

// New returns an exchange for target, such as "http://a.example/x?y", from ClientAddr over listener ":80", or ":443" for https.
// The path is taken as its own normal form. fields are lines such as "Accept: text/html".
func New(method, target string, fields ...string) *exchange.Exchange {
	x := &exchange.Exchange{}
	x.Begin(loop.NewGoroutines(nil), &Sender{})
	Fill(x, method, target, fields...)
	return x
}

// Fill sets the request and the client of x, whose request is empty.
func Fill(x *exchange.Exchange, method, target string, fields ...string) {
	scheme, rest, _ := strings.Cut(target, "://")
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	path, query, hasQuery := strings.Cut(path, "?")
	if path == "" {
		path = "/"
	}
	r := &x.Request
	r.Received = exchange.Received{Target: []byte(rest[len(authority):]), Host: []byte(authority), Version: "HTTP/1.1"}
	r.Method, r.Scheme = method, scheme
	r.Authority = []byte(authority)
	r.Host = []byte(withoutPort(authority))
	r.Path, r.MatchPath = []byte(path), []byte(mergeSlashes(path))
	r.Query, r.HasQuery = []byte(query), hasQuery
	AddFields(&r.Fields, fields...)
	x.Client = exchange.Client{
		Peer: netip.AddrPortFrom(netip.MustParseAddr(ClientAddr), 40000), Addr: netip.MustParseAddr(ClientAddr),
		Secure: scheme == "https", Listener: ":80",
	}
	if x.Client.Secure {
		x.Client.Listener = ":443"
	}
}

// AddFields adds lines such as "Accept: text/html" to f.
func AddFields(f *exchange.Fields, lines ...string) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		f.AddNamed([]byte(name), []byte(strings.TrimSpace(value)))
	}
}

// FromOrigin makes the response of x one of an origin.
func FromOrigin(x *exchange.Exchange, status int, content string, fields ...string) {
	x.Response.Reset()
	x.Response.Status, x.Response.Origin = status, true
	AddFields(&x.Response.Fields, fields...)
	if content != "" {
		x.Response.Content = exchange.NewBytes([]byte(content))
	}
}

// Lines returns the lines of f as "Name: value".
func Lines(f *exchange.Fields) []string {
	var lines []string
	for _, l := range f.Lines() {
		lines = append(lines, string(l.Name)+": "+string(l.Value))
	}
	return lines
}

// Send sends the response of x, as serve does after the filters, and returns what the client gets.
func Send(x *exchange.Exchange) *Sender {
	s := x.Sender().(*Sender)
	s.head = x.Request.Method == "HEAD"
	s.Err = s.SendFinal(&x.Response)
	return s
}

// Sender is an exchange.Sender that keeps what is sent.
type Sender struct {
	Interim []int    // status of the interim responses
	Status  int      // of the final response; 0 if there was none
	Fields  []string // of the final response, as "Name: value"
	Content string   // what the client gets: nothing for HEAD, 204 and 304
	Aborted *exchange.Error
	Err     error // what SendFinal returned to Send

	head bool
}

// SendInterim implements exchange.Sender.
func (s *Sender) SendInterim(status int, _ *exchange.Fields) error {
	s.Interim = append(s.Interim, status)
	return nil
}

// SendFinal implements exchange.Sender.
func (s *Sender) SendFinal(r *exchange.Response) error {
	s.Status, s.Fields = r.Status, Lines(&r.Fields)
	if r.Content == nil {
		return nil
	}
	defer r.Content.Close()
	if s.head || r.Status == 204 || r.Status == 304 {
		return nil
	}
	for {
		b, err := r.Content.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		s.Content += string(b)
	}
}

// Upgrade implements exchange.Sender. It has no stream to give.
func (s *Sender) Upgrade(r *exchange.Response) (exchange.Stream, error) {
	s.Status, s.Fields = r.Status, Lines(&r.Fields)
	return nil, errors.New("exchangetest: no upgrade")
}

// Abort implements exchange.Sender.
func (s *Sender) Abort(err *exchange.Error) { s.Aborted = err }

func withoutPort(authority string) string {
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		return authority[:i]
	}
	return authority
}

func mergeSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}
