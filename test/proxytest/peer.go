package proxytest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A Peer is the test's end of a connection with the proxy: a client's or an origin's. What it is told to do is done in order, without waiting for the proxy
// to take it. One goroutine uses it.
type Peer struct {
	t       testing.TB
	conn    net.Conn
	orders  chan func()
	stalled bool          // a large piece was sent: orders may take their time
	written chan struct{} // closed when no order is left
	close   sync.Once

	in      []byte // was read and not consumed
	err     error  // how reading ended
	content content
}

func newPeer(t testing.TB, c net.Conn) *Peer {
	p := &Peer{t: t, conn: c, orders: make(chan func(), 1024), written: make(chan struct{})}
	go func() {
		defer close(p.written)
		for do := range p.orders {
			do()
		}
	}()
	t.Cleanup(p.Close)
	return p
}

// sureBytes is how much the kernel takes even if the proxy reads nothing.
const sureBytes = 16 << 10

// Send sends b.
func (p *Peer) Send(b []byte) {
	p.stalled = p.stalled || len(b) > sureBytes
	p.order(func() {
		_ = p.conn.SetWriteDeadline(time.Now().Add(Patience))
		_, _ = p.conn.Write(b) // the proxy may have refused and gone
	})
}

// order has something done in its turn. It waits until that is done, so that what another Peer does next comes later, unless the proxy may have to read first.
func (p *Peer) order(do func()) {
	done := make(chan struct{})
	p.orders <- func() {
		do()
		close(done)
	}
	if !p.stalled {
		<-done
	}
}

// End ends the test's direction (FIN); reading goes on.
func (p *Peer) End() {
	p.order(func() { _ = p.conn.(interface{ CloseWrite() error }).CloseWrite() })
}

// Reset breaks the connection (RST).
func (p *Peer) Reset() {
	p.order(func() {
		if tcp, ok := p.conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = p.conn.Close()
	})
}

// Hangup closes both directions after what was sent.
func (p *Peer) Hangup() { p.order(func() { _ = p.conn.Close() }) }

// Close ends the Peer at once, whatever is still to be sent. It may be called again.
func (p *Peer) Close() {
	p.close.Do(func() {
		_ = p.conn.Close()
		close(p.orders)
		<-p.written
	})
}

// fill reads more. It returns how reading ended, if it has.
func (p *Peer) fill() error {
	if p.err != nil {
		return p.err
	}
	_ = p.conn.SetReadDeadline(time.Now().Add(Patience))
	block := make([]byte, 64<<10)
	n, err := p.conn.Read(block)
	p.in = append(p.in, block[:n]...)
	if n == 0 {
		p.err = err
	}
	return p.err
}

// Bytes reads n bytes as they are. With an error it returns what there was.
func (p *Peer) Bytes(n int) ([]byte, error) {
	for len(p.in) < n {
		if err := p.fill(); err != nil {
			return p.take(len(p.in)), explain(err)
		}
	}
	return p.take(n), nil
}

func (p *Peer) take(n int) []byte {
	b := p.in[:n:n]
	p.in = p.in[n:]
	return b
}

// Rest reads until the connection ends and returns what came. broken says that it was reset.
func (p *Peer) Rest() (b []byte, broken bool, err error) {
	for {
		switch err := p.fill(); {
		case err == nil:
		case err == io.EOF:
			return p.take(len(p.in)), false, nil
		case errors.Is(err, syscall.ECONNRESET):
			return p.take(len(p.in)), true, nil
		default:
			return p.take(len(p.in)), false, explain(err)
		}
	}
}

// Closed waits for the end of the connection in good order, with nothing more to read.
func (p *Peer) Closed() error {
	rest, broken, err := p.Rest()
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return fmt.Errorf("there was more before the end: %q", clip(rest))
	case p.content.open() && p.content.kind != untilClose:
		return errors.New("the connection has ended inside a message")
	case broken:
		return errors.New("the connection was reset")
	}
	return nil
}

// Broken waits for an end of the connection that shows that a message is not whole: a reset, or an end inside a message that says how long it is.
func (p *Peer) Broken() error {
	inside := p.content.open() && p.content.kind != untilClose
	for p.content.open() {
		if _, err := p.decode(-1); err != nil {
			break
		}
	}
	if inside && !p.content.open() {
		return errors.New("the message is whole")
	}
	rest, broken, err := p.Rest()
	switch {
	case err != nil:
		return err
	case !broken && !inside:
		return fmt.Errorf("the connection has ended in good order, with %q", clip(rest))
	}
	return nil
}

// explain says what an error of a connection means to a test.
func explain(err error) error {
	var timeout net.Error
	switch {
	case err == io.EOF:
		return errors.New("the proxy has closed the connection")
	case errors.Is(err, syscall.ECONNRESET):
		return errors.New("the proxy has reset the connection")
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("nothing came for %v", Patience)
	}
	return err
}

func clip(b []byte) []byte { return b[:min(len(b), 200)] }
