// Package explain tells what a config does with one request: the site and every match that was tried, the settings in force with the place that each came from, what
// a server would be sent, and what the client would get if Sluice answers by itself.
//
// It asks the parts themselves: the request goes through the codec, the table, the filters and the client of a built snapshot, over pipes in memory in the place of
// sockets. So it can't say anything else than what would happen. No socket is opened, no name is looked up, and no server hears of it.
package explain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"sluice/internal/build"
	"sluice/internal/config"
	"sluice/internal/downstream/h1"
	"sluice/internal/exchange"
	"sluice/internal/loop"
	"sluice/internal/observe/metric"
	"sluice/internal/observe/trace"
	"sluice/internal/route"
	"sluice/internal/serve"
	"sluice/internal/snapshot"
	"sluice/internal/upstream/resolve"
)

// A Question is a request, as somebody would send it.
type Question struct {
	Method string
	Listen string     // the listener that it comes to: ":80"
	Host   string     // of the Host field
	Target string     // request target
	Fields []string   // further field lines: "Name: value"
	Client netip.Addr // who asks
}

// An Answer is what the config does with it.
type Answer struct {
	Site     *Place    `json:"site"` // nil: no site of that port has the host
	Steps    []Step    `json:"steps"`
	Route    string    `json:"route"` // its name; "site" if no route took the request
	Settings []Setting `json:"settings"`
	Pool     string    `json:"pool,omitempty"`
	Servers  []string  `json:"servers,omitempty"`
	// Server and Sent are what a server would get: its address, and the head of the request. They are empty if Sluice answers by itself.
	Server string `json:"server,omitempty"`
	Sent   string `json:"sent,omitempty"`
	// Answered is the head of the response that Sluice makes by itself, "" if a server is asked.
	Answered string `json:"answered,omitempty"`
	Reason   string `json:"reason,omitempty"` // why Sluice refuses it
}

// A Place is something in a config file.
type Place struct {
	Name string `json:"name"`
	At   string `json:"at"` // file:line
}

// A Step is one match that was tried.
type Step struct {
	Place
	Against string `json:"against,omitempty"` // why it does not hold; "" if it took the request
}

// A Setting is a value that is in force for the route.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	At    string `json:"at"`
}

// timeout bounds the exchange in memory.
const timeout = 10 * time.Second

// Explain answers q by a config that d has read without an error.
func Explain(d *config.Decoder, cfg *config.Config, q Question) (*Answer, error) {
	names := resolve.NewResolver(noName, resolve.DefaultResolverSettings(), nil)
	defer names.Close()
	traces := trace.New(trace.Options{Loops: 1, Set: metric.NewSet(1)}) // it delivers nothing, and has IDs for what a server is sent
	defer traces.Close(context.Background())
	snap := build.Build(d, cfg, nil, build.Env{Loops: 1, Traces: traces, Resolver: names, ReadFile: config.Disk().ReadFile})
	if d.Failed() {
		return nil, errors.New("explain: the config can't be built")
	}
	a, err := ask(cfg, snap, q)
	if err != nil {
		return nil, err
	}
	a.Sent, a.Answered, a.Reason = d.Mask(a.Sent), d.Mask(a.Answered), d.Mask(a.Reason)
	for i := range a.Steps {
		a.Steps[i].Against = d.Mask(a.Steps[i].Against)
	}
	return a, nil
}

// noName answers for all names: nobody is asked, and no server is reached.
func noName(context.Context, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.IPv6Loopback()}, nil
}

// ask has the snapshot answer q.
func ask(cfg *config.Config, snap *snapshot.Snapshot, q Question) (*Answer, error) {
	a := &Answer{}
	var found route.Explanation
	looked, err := exchanged(snap, q, wayFunc(func(x *exchange.Exchange) {
		snap.Trust.Receive(x)
		found = snap.Routes.Explain(x)
		x.Respond(200, "", nil)
		_ = x.Sender().SendFinal(&x.Response)
	}), nil)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(looked, "HTTP/1.1 200 ") { // the codec has refused it: nothing is routed
		a.Answered, a.Reason = looked, "the request is not valid"
		return a, nil
	}
	a.routed(cfg, found)
	var current snapshot.Current
	current.Store(snap)
	server := &origin{}
	noted := &noting{Server: serve.Server{Current: &current}}
	response, err := exchanged(snap, q, noted, server.dial)
	if err != nil {
		return nil, err
	}
	a.Pool, a.Server, a.Sent = noted.pool, noted.endpoint, server.head.String()
	if a.Pool != "" {
		a.Servers = serversOf(snap, a.Pool)
	}
	if a.Sent == "" {
		a.Answered, a.Reason = response, noted.reason
	}
	return a, nil
}

// routed fills in what the table found.
func (a *Answer) routed(cfg *config.Config, found route.Explanation) {
	a.Route = found.Route.Name
	if found.Site < 0 {
		return
	}
	site := cfg.Sites[found.Site]
	a.Site = &Place{site.Key.Value, at(site.Key)}
	for _, s := range found.Steps {
		n := site.Routes[s.Rule].Match[s.Match].Node
		a.Steps = append(a.Steps, Step{Place{fmt.Sprintf("%d %s", s.Rule+1, short(n)), at(n)}, s.Against})
	}
	scope := site.Scope.Node
	if found.Rule >= 0 {
		scope = site.Routes[found.Rule].Scope.Node
	}
	a.settings("", scope)
}

// short writes a match in one line.
func short(n *config.Node) string {
	if n.Kind == config.Scalar {
		return n.Shown()
	}
	return n.Flow()
}

// settings lists what a scope holds, key by key.
func (a *Answer) settings(prefix string, n *config.Node) {
	for _, e := range n.Entries {
		key := prefix + e.Key.Value
		switch {
		case prefix == "" && (key == "match" || key == "routes"):
		case e.Value.Kind == config.Map && len(e.Value.Entries) > 0:
			a.settings(key+".", e.Value)
		default:
			a.Settings = append(a.Settings, Setting{key, e.Value.Flow(), at(e.Value)})
		}
	}
}

func at(n *config.Node) string { return fmt.Sprintf("%s:%d", n.Pos.File, n.Pos.Line) }

func serversOf(snap *snapshot.Snapshot, pool string) (all []string) {
	for _, p := range snap.Pools {
		if p.Name != pool {
			continue
		}
		for _, ep := range p.Endpoints {
			all = append(all, ep.Address)
		}
	}
	return all
}

// wayFunc is a Way that is a function, for requests that are valid.
type wayFunc func(x *exchange.Exchange)

// Exchange implements h1.Way.
func (f wayFunc) Exchange(x *exchange.Exchange) { f(x) }

// Refuse implements h1.Way.
func (f wayFunc) Refuse(x *exchange.Exchange) {
	x.Respond(x.Err.Status, "", nil)
	_ = x.Sender().SendFinal(&x.Response)
}

// noting is the way of a request, and keeps what it leaves.
type noting struct {
	serve.Server
	pool, endpoint, reason string
}

// Exchange implements h1.Way.
func (n *noting) Exchange(x *exchange.Exchange) {
	n.Server.Exchange(x)
	n.pool, n.endpoint = x.Notes.Pool, x.Notes.Endpoint
	if x.Err != nil {
		n.reason = x.Err.Error()
	}
}

// exchanged sends the request of q in memory and returns the head of the response.
func exchanged(snap *snapshot.Snapshot, q Question, way h1.Way, dial func(ctx context.Context, network, address string) (net.Conn, error)) (string, error) {
	d := loop.NewGoroutines(dial)
	defer d.Stop()
	server := h1.NewServer(way, func() *h1.Settings { return snap.H1 }, 1)
	ours, theirs := net.Pipe()
	defer ours.Close()
	d.Serve(&from{theirs, q.Client}, &loop.Accept{Handler: func(c loop.Conn) loop.Handler { return server.Handler(c, q.Listen, nil) }})
	_ = ours.SetDeadline(time.Now().Add(timeout))
	go func() { _, _ = io.WriteString(ours, q.text()) }() // ends with the pipe
	head, err := readHead(ours)
	if err != nil {
		return "", fmt.Errorf("explain: no response: %w", err)
	}
	return head, nil
}

// text is the request as bytes.
func (q *Question) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", q.Method, q.Target, q.Host)
	for _, line := range q.Fields {
		b.WriteString(line + "\r\n")
	}
	b.WriteString("Connection: close\r\n\r\n")
	return b.String()
}

// headMax bounds what is read of a head.
const headMax = 1 << 20

var errHeadTooLarge = errors.New("the head is too large")

// readHead reads up to the empty line, which it leaves out.
func readHead(r io.Reader) (string, error) {
	var head []byte
	block := make([]byte, 4<<10)
	for len(head) < headMax {
		n, err := r.Read(block)
		head = append(head, block[:n]...)
		if end := bytes.Index(head, []byte("\r\n\r\n")); end >= 0 {
			return strings.ReplaceAll(string(head[:end]), "\r\n", "\n"), nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", errHeadTooLarge
}

// from is a client's end of a pipe with an address.
type from struct {
	net.Conn
	client netip.Addr
}

// RemoteAddr implements net.Conn.
func (f *from) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(f.client, 1024))
}

// origin takes the place of all servers: it keeps the head of the request and answers 200.
type origin struct{ head strings.Builder }

// dial answers like net.Dialer.
func (o *origin) dial(_ context.Context, _, address string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	peer, _ := netip.ParseAddrPort(address) // a Unix socket has none
	_ = ours.SetDeadline(time.Now().Add(timeout))
	go func() {
		defer ours.Close()
		head, err := readHead(ours)
		if err == nil {
			o.head.WriteString(head)
			_, _ = io.WriteString(ours, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}
	}()
	return &from{theirs, peer.Addr()}, nil
}
