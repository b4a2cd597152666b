package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Limits of the simulated proxy. They are short, so that a run ends soon; actors who mean well keep far below them.
const limits = `limits: { head_timeout: 2s, idle_timeout: 4s, send_timeout: 3s, linger_timeout: 1s, min_rate: { rate: 240, after: 700ms }%s }
`

// idleKept is how long the proxy keeps a connection to an origin.
const idleKept = 3 * time.Second

// A state is how an endpoint is found when it is dialled.
type state int

const (
	up state = iota
	refusing
	dark // it answers nothing
)

// A fault is what an origin does wrong to an attempt.
type fault int

const (
	sound   fault = iota
	cut           // it breaks off at a byte of its response, the first one perhaps
	stall         // it falls silent there
	early         // it answers before it has read the content, and closes
	garbage       // it answers what is not HTTP
)

// A framing is how an origin says where its content ends.
type framing int

const (
	byLength framing = iota
	byChunks
	byClose
)

// A conduct is what a client does in its last exchanges.
type conduct int

const (
	behaves   conduct = iota
	breaksOff         // it closes at a byte of its requests
	halts             // it ends its direction there
	stalls            // it falls silent there
	deaf              // it reads no response
	leaves            // it closes at a byte of the responses
)

// An exchange is planned first, and then notes what happened to it.
type exchange struct {
	id      int
	method  string
	sent    int  // bytes of the request's content
	chunked bool // the request is
	http10  bool
	keep    bool // HTTP/1.0 wants to keep the connection
	expects bool // Expect: 100-continue

	size    int // bytes of the response's content
	framing framing
	delay   time.Duration // of the origin, before its response and inside it
	mute    bool          // the origin does not say 100 (Continue)
	hints   bool          // a 103 comes first
	closes  bool          // the origin closes behind the response, without having said so
	fault   fault
	faults  int  // attempts that suffer it
	reset   bool // it breaks off by RST

	spoiled   bool // the client's conduct: whatever comes back is right as long as it is not wrong
	chased    bool // a further request came behind it: if the proxy closes then, that may reset what it has sent (RFC 9112, section 9.6)
	continued bool // the client may send its content
	attempts  int  // that have reached an origin
	suffered  fault
}

// A client sends its exchanges one after the other, or in pairs.
type client struct {
	id        int
	exchanges []*exchange
	pairs     bool
	halfClose bool // it ends its direction behind each request
	conduct   conduct
	rand      *rand.Rand
}

// A plan is what a seed decides before a run begins. The world decides the rest by the same seed.
type plan struct {
	seed        uint64
	sound       bool // nobody does anything wrong: each exchange must succeed
	drivers     int
	origins     []state // by endpoint
	attempts    int     // endpoints tried for one exchange
	connections int     // to one endpoint; 0 is no limit
	contentMax  int     // of a request; 0 is no limit
	requests    int     // on one connection; 0 is no limit
	clients     []*client
	exchanges   []*exchange
	reloads     []time.Duration // one after the other
	drain, stop time.Duration   // when; 0 is never
}

// draw makes the plan of a seed.
func draw(seed uint64) *plan {
	r := rand.New(rand.NewPCG(seed, 0x51b))
	p := &plan{seed: seed, sound: r.IntN(3) == 0, drivers: 1 + r.IntN(2), attempts: 1 + r.IntN(4)}
	for range 1 + r.IntN(3) {
		p.origins = append(p.origins, up)
	}
	for i := range p.origins[1:] {
		if !p.sound && r.IntN(3) == 0 {
			p.origins[1+i] = state(1 + r.IntN(2))
		}
	}
	p.connections = max(0, r.IntN(6)-2)
	if r.IntN(4) == 0 {
		p.contentMax = 5000
	}
	p.requests = max(0, r.IntN(6)-3)
	for range r.IntN(3) {
		p.reloads = append(p.reloads, time.Duration(r.IntN(100))*time.Millisecond)
	}
	if r.IntN(6) == 0 {
		p.drain = time.Duration(1+r.IntN(200)) * time.Millisecond
	}
	if !p.sound && r.IntN(6) == 0 {
		p.stop = time.Duration(1+r.IntN(300)) * time.Millisecond
	}
	for i := range 2 + r.IntN(6) {
		p.clients = append(p.clients, p.drawClient(r, i))
	}
	return p
}

func (p *plan) drawClient(r *rand.Rand, id int) *client {
	c := &client{id: id, pairs: r.IntN(3) == 0, halfClose: r.IntN(8) == 0, rand: rand.New(rand.NewPCG(p.seed, uint64(id)))}
	if !p.sound && r.IntN(3) == 0 {
		c.conduct = conduct(1 + r.IntN(int(leaves)))
	}
	for range 1 + r.IntN(5) {
		x := p.drawExchange(r)
		c.exchanges = append(c.exchanges, x)
		p.exchanges = append(p.exchanges, x)
	}
	return c
}

func (p *plan) drawExchange(r *rand.Rand) *exchange {
	x := &exchange{id: len(p.exchanges), method: []string{"GET", "GET", "HEAD", "POST", "POST", "PUT"}[r.IntN(6)], http10: r.IntN(6) == 0}
	x.keep = x.http10 && r.IntN(2) == 0
	if x.method == "POST" || x.method == "PUT" {
		x.sent = drawSize(r)
		x.chunked = !x.http10 && r.IntN(2) == 0
		x.expects = !x.http10 && x.sent > 0 && r.IntN(4) == 0
	}
	x.size, x.framing, x.hints = drawSize(r), framing(r.IntN(3)), r.IntN(8) == 0
	x.mute = x.expects && r.IntN(3) == 0
	if r.IntN(3) == 0 {
		x.delay = time.Duration(r.IntN(100)) * time.Millisecond
	}
	if p.sound {
		return x
	}
	x.closes = r.IntN(6) == 0
	if r.IntN(4) == 0 {
		x.fault, x.faults, x.reset = fault(1+r.IntN(int(garbage))), 1+r.IntN(3), r.IntN(2) == 0
	}
	return x
}

// drawSize is small mostly; the largest are moved by the kernel, through Splice.
func drawSize(r *rand.Rand) int {
	switch n := r.IntN(40); {
	case n == 0:
		return 250_000 + r.IntN(200_000)
	case n < 10:
		return r.IntN(30_000)
	}
	return r.IntN(400)
}

// address is where the endpoint of that number listens.
func address(i int) string { return fmt.Sprintf("10.0.1.%d:80", 1+i) }

// config is the proxy's, as it is written. Each generation puts its number into requests and responses, and every other one lacks the last endpoint.
func (p *plan) config(generation int) string {
	var servers []string
	for i := range p.origins {
		servers = append(servers, address(i))
	}
	if generation%2 == 1 && len(servers) > 1 {
		servers = servers[:len(servers)-1]
	}
	more := ""
	if p.contentMax > 0 {
		more += fmt.Sprintf(", request_body: %d", p.contentMax)
	}
	if p.requests > 0 {
		more += fmt.Sprintf(", requests: %d", p.requests)
	}
	connect := "1s"
	if p.sound {
		connect = "60s" // also for who waits for a free connection
	}
	return fmt.Sprintf(limits, more) + fmt.Sprintf(`sites:
  "http://:80":
    to:
      servers: [%s]
      max_connections: %d
      retry: { attempts: %d }
      timeouts: { connect: %s, response: 2s, idle: 2s }
      keep_alive: { connections: 2, idle: %v }
    forward: { early_hints: true }
    headers:
      request: { set: { X-Generation: "%d" } }
      response: { set: { X-Generation: "%d" } }
`, strings.Join(servers, ", "), p.connections, p.attempts-1, connect, idleKept, generation, generation)
}

// has reports whether an endpoint is of that state.
func (p *plan) has(s state) bool { return slices.Contains(p.origins, s) }

// covered reports whether an exchange tries all endpoints, so that those that are down do no harm.
func (p *plan) covered() bool { return p.attempts >= len(p.origins) }

// content is what an exchange carries, from the client ("q") or from the origin ("r"). No two of them, and no two parts of one, look alike.
func content(kind byte, id, n int) []byte {
	b := make([]byte, n)
	h := uint32(id)<<8 | uint32(kind)
	for i := range b {
		h = h*1664525 + 1013904223
		b[i] = byte(h >> 24)
	}
	return b
}
