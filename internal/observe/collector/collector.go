// Package collector is where log lines go that are not written to a file here: a syslog server (RFC 5424) or the systemd journal.
//
// Both are Places of logfile, whose goroutine is the only one that calls them, so that a dead or slow collector holds up nothing but its queue. Nothing is
// connected before the first line. A connection that fails is made again at once; if that fails, too, lines are lost until the next attempt, and attempts get
// rarer, up to one a minute.
package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"sluice/internal/observe/logfile"
)

const (
	// patience is how long a connection may take to be made, and how long a collector may take nothing.
	patience = 2 * time.Second
	// waitMin and waitMax bound the time between attempts.
	waitMin = time.Second
	waitMax = time.Minute
)

var errDown = errors.New("lines are lost until the next attempt")

// A sender is a connection to a collector, which is made when it is needed. It implements logfile.Output.
type sender struct {
	network, address string
	// frame appends the message that carries a line, which comes without its line break.
	frame func(dst, line []byte, at time.Time) []byte

	conn net.Conn      // nil if there is none
	gone chan struct{} // closed when the other end of a stream has ended it

	now    func() time.Time
	wait   time.Duration // until the next attempt, as it was set by the last failure
	next   time.Time     // no attempt before
	failed time.Time     // last time

	buf  []byte
	ends []int // where the frames in buf end, and in pairs with that the lines in what they were made of
}

// Write implements io.Writer. What it took are whole lines.
func (s *sender) Write(b []byte) (n int, err error) {
	now := s.now()
	if now.Before(s.next) {
		return 0, errDown
	}
	for again := false; ; again = true {
		if err = s.connect(); err == nil {
			var sent int
			sent, err = s.send(b[n:], now)
			n += sent
		}
		if err == nil {
			return n, nil
		}
		had := s.conn != nil
		s.drop()
		if again || !had || errors.Is(err, os.ErrDeadlineExceeded) {
			s.rest(now)
			return n, fmt.Errorf("%s: %w", s.name(), reason(err))
		}
	}
}

// name is what messages call the collector.
func (s *sender) name() string { return s.network + ":" + s.address }

// reason is the cause of a network error, without the addresses.
func reason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// rest makes the next attempt wait: twice as long as the last time, unless that was long ago.
func (s *sender) rest(now time.Time) {
	if s.wait = min(2*s.wait, waitMax); s.wait == 0 || now.Sub(s.failed) > 2*waitMax {
		s.wait = waitMin
	}
	s.failed = now
	s.next = now.Add(s.wait)
}

func (s *sender) isStream() bool { return s.network == "tcp" }

// connect makes a connection if there is none, or if the other end has closed it.
func (s *sender) connect() error {
	if s.conn != nil {
		select {
		case <-s.gone:
			s.drop()
		default:
			return nil
		}
	}
	conn, err := net.DialTimeout(s.network, s.address, patience)
	if err != nil {
		return err
	}
	s.conn, s.gone = conn, make(chan struct{})
	if s.isStream() {
		go awaitEnd(conn, s.gone)
	}
	return nil
}

// awaitEnd closes gone when the other end has closed conn: else the next write would seem to go well.
func awaitEnd(conn net.Conn, gone chan<- struct{}) {
	_, _ = io.Copy(io.Discard, conn)
	close(gone)
}

func (s *sender) drop() {
	if s.conn != nil {
		_ = s.conn.Close()
		if s.isStream() {
			<-s.gone
		}
	}
	s.conn = nil
}

// send sends the lines of b and returns how many of its bytes are those that went out.
func (s *sender) send(b []byte, at time.Time) (n int, err error) {
	if s.isStream() {
		return s.sendStream(b, at)
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	for n < len(b) {
		line, rest := cutLine(b[n:])
		s.buf = s.frame(s.buf[:0], line, at)
		if _, err := s.conn.Write(s.buf); err != nil {
			return n, err
		}
		n = len(b) - len(rest)
	}
	return n, nil
}

// sendStream sends all lines at once.
func (s *sender) sendStream(b []byte, at time.Time) (n int, err error) {
	s.buf, s.ends = s.buf[:0], s.ends[:0]
	for rest := b; len(rest) > 0; {
		var line []byte
		line, rest = cutLine(rest)
		s.buf = s.frame(s.buf, line, at)
		s.ends = append(s.ends, len(s.buf), len(b)-len(rest))
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	written, err := s.conn.Write(s.buf)
	for i := 0; i < len(s.ends) && s.ends[i] <= written; i += 2 {
		n = s.ends[i+1]
	}
	return n, err
}

func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte{'\n'})
	return line, rest
}

// Reopen implements logfile.Output: a new connection is made with the next line, without waiting for one that was put off.
func (s *sender) Reopen() error {
	s.drop()
	s.next, s.wait = time.Time{}, 0
	return nil
}

// Close implements io.Closer.
func (s *sender) Close() error {
	s.drop()
	return nil
}

// open returns an Output; nothing is connected yet, since a dead collector must not keep a proxy from starting.
func open(network, address string, frame func(dst, line []byte, at time.Time) []byte) (logfile.Output, error) {
	return &sender{network: network, address: address, frame: frame, now: time.Now}, nil
}

// hostname is the name of this machine as syslog wants it: printable ASCII without spaces.
func hostname() string {
	name, err := os.Hostname()
	if err != nil || !isWord(name, 255) {
		return "-"
	}
	return name
}
