package client

import (
	"context"
	"errors"
	"net"
	"testing"

	"sluice/internal/buf"
	"sluice/internal/exchange"
	"sluice/internal/exchange/exchangetest"
	"sluice/internal/loop"
	wire "sluice/internal/wire/h1"
)

// Asking what is at hand ends nothing, and the fault behind it is still told to who reads on.
func TestAFaultBehindWhatIsAtHandIsNotLost(t *testing.T) {
	d := loop.NewGoroutines(func(context.Context, string, string) (net.Conn, error) {
		c, other := net.Pipe()
		return c, other.Close()
	})
	defer d.Stop()
	raw, err := d.Dial("tcp", "192.0.2.1:80", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for received, first := range map[string]string{"2\r\nhi\r\nZZ\r\n": "hi", "ZZ\r\n": ""} {
		c := newConn(New(nil, &Settings{}, 1), raw)
		c.settings = &Settings{Wire: wire.Limits{TrailerBytes: 100, ExtensionBytes: 100}}
		c.x = exchangetest.New("GET", "http://a.example/")
		c.block = d.Buffers().Get(buf.Small)
		c.to = copy(c.block, received)
		b := c.newContent(wire.Framing{Kind: wire.FramedChunked})
		for range 2 {
			if piece, last := b.AtHand(); string(piece) != first || last || c.closed {
				t.Errorf("%q: at hand is %q, last %v; closed %v", received, piece, last, c.closed)
			}
		}
		if first != "" {
			if piece, err := b.Next(); string(piece) != first || err != nil {
				t.Errorf("%q: first %q, %v", received, piece, err)
			}
		}
		for range 2 {
			var e *exchange.Error
			if piece, err := b.Next(); len(piece) > 0 || !errors.As(err, &e) || e.Kind != exchange.KindHTTPTransferCoding || !c.closed {
				t.Errorf("%q: then %q, %v", received, piece, err)
			}
			if piece, last := b.AtHand(); len(piece) > 0 || last {
				t.Errorf("%q: %q is at hand at the end", received, piece)
			}
		}
		b.Close()
	}
}
