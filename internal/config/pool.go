package config

import (
	"slices"
	"strings"
	"time"
)

// A Pool is a named set of origin servers that can stand in for each other.
type Pool struct {
	// Name is its key under pools; for a pool that is written in place after to, its addresses.
	Name string
	Node *Node `conf:",node"`

	// Servers are the addresses requests go to.
	Servers []Server `conf:"servers,required"`
	// Balance says which server gets the next request.
	Balance Balance `conf:"balance"`
	// Host is what servers get as Host: "keep" (what the client sent), "server" (the server's own name), or a name.
	Host HostSetting `conf:"host"`
	// Retry says how often a failed request is tried again; off means never.
	Retry Retry `conf:"retry,off"`
	// Timeouts bound how long a server may take.
	Timeouts Timeouts `conf:"timeouts"`
	// MaxConnections is the limit on connections to each server that has none of its own; 0 or off is no limit.
	MaxConnections int `conf:"max_connections,off,min=0,max=1000000"`
	// KeepAlive says how many connections are kept for the next request, and for how long; off closes each after its exchange.
	KeepAlive KeepAlive `conf:"keep_alive,off"`
	// Resolve is how often names of servers are looked up again, and at least 1s.
	Resolve Duration `conf:"resolve,min=1s"`
}

// Defaults implements Defaulter.
func (p *Pool) Defaults() {
	*p = Pool{
		Balance:   "round_robin",
		Host:      "keep",
		Retry:     Retry{Attempts: 2},
		Timeouts:  Timeouts{Connect: Duration(5 * time.Second), Response: Duration(time.Minute), Idle: Duration(time.Minute)},
		KeepAlive: KeepAlive{Connections: 1024, Idle: Duration(time.Minute)},
		Resolve:   Duration(30 * time.Second),
	}
}

// ConfigName implements Named.
func (*Pool) ConfigName() string { return "a pool" }

// ValidateConfig implements Validator.
func (p *Pool) ValidateConfig(d *Decoder, n *Node) {
	if servers := n.Get("servers"); servers != nil && servers.Kind == List && len(servers.Items) == 0 {
		d.Errorf(servers, "no-value", "a pool needs at least one server")
	}
	seen := map[string]*Node{}
	for _, s := range p.Servers {
		if s.Address == (Address{}) {
			continue // what is wrong with it has been said
		}
		if first := seen[s.Address.String()]; first != nil {
			d.Hintf(s.Node, "duplicate-server", "give it a weight instead", "%v is in this pool already, on line %d", s.Address, first.Pos.Line)
		}
		seen[s.Address.String()] = s.Node
	}
}

// A Server is one origin server of a pool. Its short form is its address.
type Server struct {
	Node *Node `conf:",node"`

	// Address is where it listens: "10.0.0.1:80", "name:80", "https://name", "unix:/run/app.sock", "h2c://name:50051".
	Address Address `conf:"address,required"`
	// Weight is its share of requests in proportion to the others.
	Weight int `conf:"weight,min=1,max=1000"`
	// MaxConnections is its limit on connections; without it the pool's holds; 0 or off is no limit.
	MaxConnections *int `conf:"max_connections,off,min=0,max=1000000"`
	// Tier is its rank: a server gets requests only while no server of a lower tier is usable.
	Tier int `conf:"tier,min=0,max=100"`
}

// Defaults implements Defaulter.
func (s *Server) Defaults() { s.Weight = 1 }

// ConfigName implements Named.
func (*Server) ConfigName() string { return "a server" }

// DecodeConfig implements NodeDecoder.
func (s *Server) DecodeConfig(d *Decoder, n *Node) {
	s.Node = n
	if n.Kind == Scalar {
		s.Address.DecodeConfig(d, n)
		return
	}
	if n.Kind != Map {
		d.wrong(n, "wrong-type", "an address or a map with address", "")
		return
	}
	d.Fields(n, s)
}

// ConfigForms implements Formed.
func (*Server) ConfigForms() []any { return []any{Address{}, Fields{Server{}}} }

// Balance is how a pool chooses a server.
type Balance string

// ConfigWords implements Words.
func (Balance) ConfigWords() []string { return []string{"round_robin"} }

// HostSetting is what a server gets as Host: "keep", "server", or a host name with or without a port.
type HostSetting string

// DecodeConfig implements NodeDecoder.
func (h *HostSetting) DecodeConfig(d *Decoder, n *Node) {
	if n.Kind != Scalar || n.IsOff() {
		d.wrong(n, "wrong-type", "keep, server or a host name", "")
		return
	}
	if n.Value != "keep" && n.Value != "server" {
		if _, rest, found := strings.Cut(n.Value, "://"); found {
			d.scalarError(n, "bad-host", nameFault("a host has no scheme here", rest))
			return
		}
		host, port, err := splitPort(n.Value)
		if err == nil && port != "" {
			_, err = parsePort(port)
		}
		if err == nil && !strings.Contains(host, ":") {
			err = checkHost(lowerHost(host))
		}
		if err != nil {
			d.scalarError(n, "bad-host", err)
			return
		}
	}
	*h = HostSetting(n.Value)
}

// ConfigForms implements Formed.
func (*HostSetting) ConfigForms() []any { return []any{Form{Text: `"keep", "server" or a host name`}} }

// Retry bounds how often a request is tried on a further server. What was not sent, and what is safe to send twice (RFC 9110, section 9.2.2), is tried again.
type Retry struct {
	// Attempts is how many further servers are tried after the first one.
	Attempts int `conf:"attempts,min=0,max=7"`
}

// Timeouts bound how long a server may take.
type Timeouts struct {
	// Connect is the longest a connection may take to be made, with TLS.
	Connect Duration `conf:"connect,min=1ms"`
	// Response is the longest from the request's end to the head of its response; off is no limit.
	Response Duration `conf:"response,off,min=1ms"`
	// Idle is the longest silence of a server inside a response's content; off is no limit.
	Idle Duration `conf:"idle,off,min=1ms"`
}

// KeepAlive says which connections to a server are kept between exchanges.
type KeepAlive struct {
	// Connections is how many idle ones each loop keeps for each server.
	Connections int `conf:"connections,min=0,max=100000"`
	// Idle is how long an idle one is kept.
	Idle Duration `conf:"idle,min=1ms"`
}

// A Target is where a site or route sends requests: after to stands a pool's name, an address, a list of addresses, or a map that is a pool.
type Target struct {
	Node *Node
	// Pool is never nil after Load without errors. A pool that is written in place is one *Pool for all routes that inherit it.
	Pool *Pool

	name string // of a pool that Load looks up, "" for one in place
}

// DecodeConfig implements NodeDecoder.
func (t *Target) DecodeConfig(d *Decoder, n *Node) {
	*t = Target{Node: n}
	switch {
	case n.Kind == Scalar && n.Value == "":
		d.Errorf(n, "no-value", "%s is empty; it wants a pool's name, an address, a list of addresses or a map", d.name())
		return
	case n.Kind == Scalar && !strings.ContainsAny(n.Value, ":/ ,"):
		t.name = n.Value
		return
	case n.Kind == Null:
		d.wrong(n, "wrong-type", "a pool's name, an address, a list of addresses or a map", "")
		return
	}
	t.Pool = &Pool{}
	t.Pool.Defaults()
	t.Pool.Node = n
	switch n.Kind {
	case Map:
		d.Decode(n, t.Pool)
	case List:
		for _, item := range n.Items {
			if item.Kind == Scalar && !item.Secret && slices.Contains(d.pools, item.Value) {
				d.Hintf(item, "bad-address", "put all servers into one pool", "%q is a pool: one pool, or a list of addresses, stands after %s", item.Value, d.name())
			}
		}
		d.Decode(n, &t.Pool.Servers)
		t.Pool.ValidateConfig(d, &Node{Entries: []Entry{{&Node{Value: "servers"}, n}}})
	case Scalar:
		t.Pool.Servers = make([]Server, 1)
		t.Pool.Servers[0].Defaults()
		t.Pool.Servers[0].DecodeConfig(d, n)
	}
	var names []string
	for _, s := range t.Pool.Servers {
		names = append(names, s.Address.String())
	}
	t.Pool.Name = strings.Join(names, ",")
}

// ConfigForms implements Formed.
func (*Target) ConfigForms() []any {
	return []any{Form{Text: "a pool's name or an address"}, []Server{}, Fields{Pool{}}}
}
