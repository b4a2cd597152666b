package forward

import (
	"net/netip"
	"strings"
	"time"

	"sluice/internal/exchange"
	"sluice/internal/loop"
)

// clock is a driver that only tells the time.
type clock struct {
	loop.Driver
	now time.Time
}

func (c *clock) Time() time.Time { return c.now }

// now is an instant with a well-known text: RFC 9110, section 5.6.7.
func newClock() *clock { return &clock{now: time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)} }

// newExchange returns a GET of http://shop.example.com/ from 192.0.2.1 with the field lines of fields, "Name: value" each.
func newExchange(fields ...string) *exchange.Exchange {
	x := new(exchange.Exchange)
	fill(x, fields...)
	return x
}

// fill makes x what newExchange returns.
func fill(x *exchange.Exchange, fields ...string) {
	x.Reset()
	x.Begin(newClock(), nil)
	x.Client.Peer = netip.MustParseAddrPort("192.0.2.1:40000")
	r := &x.Request
	r.Method, r.Scheme, r.Received.Version = "GET", "http", "HTTP/1.1"
	r.Authority, r.Host = []byte("shop.example.com"), []byte("shop.example.com")
	r.Path = []byte("/")
	addLines(&r.Fields, fields...)
}

// addLines appends field lines, "Name: value" each.
func addLines(f *exchange.Fields, lines ...string) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		f.AddNamed([]byte(name), exchange.TrimSpace([]byte(value)))
	}
}

// linesOf returns the lines of f as "Name: value", one a line.
func linesOf(f *exchange.Fields) string {
	var b strings.Builder
	for _, l := range f.Lines() {
		b.WriteString(string(l.Name) + ": " + string(l.Value) + "\n")
	}
	return b.String()
}

// joinLines is what linesOf returns for lines.
func joinLines(lines ...string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// trusting returns a Trust in these networks.
func trusting(networks ...string) *Trust {
	return NewTrust(TrustSettings{Networks: prefixes(networks...)})
}

func prefixes(networks ...string) (list []netip.Prefix) {
	for _, n := range networks {
		list = append(list, netip.MustParsePrefix(n))
	}
	return list
}
