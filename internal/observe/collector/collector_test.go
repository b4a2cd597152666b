package collector

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/internal/leaktest"
	"sluice/internal/observe/logfile"
)

// TestMain fails if a goroutine outlives its test.
func TestMain(m *testing.M) { leaktest.Main(m, "collector.awaitEnd", "logfile.(*File).run") }

// opened opens a place with a clock of the test.
func opened(t *testing.T, p logfile.Place, now *time.Time) *sender {
	t.Helper()
	out, err := p.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := out.(*sender)
	s.now = func() time.Time { return *now }
	t.Cleanup(func() { s.Close() })
	return s
}

// aSocket is a path that is short enough for a Unix socket.
func aSocket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "socket")
}

// datagrams listens for datagrams.
func datagrams(t *testing.T, network, address string) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	return c
}

func receive(t *testing.T, c net.PacketConn) string {
	t.Helper()
	b := make([]byte, 1<<16)
	n, _, err := c.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func put(t *testing.T, s *sender, lines string) {
	t.Helper()
	if n, err := s.Write([]byte(lines)); n != len(lines) || err != nil {
		t.Fatalf("%d of %d bytes, %v", n, len(lines), err)
	}
}

var at = time.Date(2026, 7, 1, 12, 34, 56, 7_000_000, time.FixedZone("", 7200))

// message is what a line becomes by RFC 5424; the host name is left out.
func message(t *testing.T, got, priority, tag, line string) {
	t.Helper()
	want := fmt.Sprintf(`^<%s>1 2026-07-01T10:34:56\.007Z [!-~]+ %s %d access - %s$`, priority, tag, os.Getpid(), regexp.QuoteMeta(line))
	if !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("got  %q\nwant %s", got, want)
	}
}

func TestSyslogByDatagrams(t *testing.T) {
	socket := aSocket(t)
	for network, c := range map[string]net.PacketConn{"udp": datagrams(t, "udp", "127.0.0.1:0"), "unixgram": datagrams(t, "unixgram", socket)} {
		now := at
		s := opened(t, Syslog{Network: network, Address: c.LocalAddr().String(), Facility: 23, Tag: "edge"}, &now)
		put(t, s, "one\ntwo {}\n")
		message(t, receive(t, c), "190", "edge", "one")
		message(t, receive(t, c), "190", "edge", "two {}")
	}
}

// A stream is a syslog server over TCP.
type stream struct {
	t  *testing.T
	ln net.Listener
}

func newStream(t *testing.T, address string) *stream {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return &stream{t, ln}
}

func (s *stream) accept() (net.Conn, *bufio.Reader) {
	s.t.Helper()
	c, err := s.ln.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c, bufio.NewReader(c)
}

// read reads a message that is counted in octets.
func (s *stream) read(r *bufio.Reader) string {
	s.t.Helper()
	count, err := r.ReadString(' ')
	n, atoiErr := strconv.Atoi(strings.TrimSuffix(count, " "))
	b := make([]byte, n)
	_, readErr := io.ReadFull(r, b)
	if err := errors.Join(err, atoiErr, readErr); err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func TestSyslogOverTCPCountsOctets(t *testing.T) {
	server := newStream(t, "127.0.0.1:0")
	now := at
	s := opened(t, Syslog{Network: "tcp", Address: server.ln.Addr().String(), Facility: 16, Tag: "sluice"}, &now)
	put(t, s, "one\n{\"é\":2}\n")
	_, r := server.accept()
	message(t, server.read(r), "134", "sluice", "one")
	message(t, server.read(r), "134", "sluice", `{"é":2}`)
}

func TestAServerThatClosedIsConnectedAgain(t *testing.T) {
	server := newStream(t, "127.0.0.1:0")
	now := at
	s := opened(t, Syslog{Network: "tcp", Address: server.ln.Addr().String(), Tag: "x"}, &now)
	put(t, s, "one\n")
	c, r := server.accept()
	message(t, server.read(r), "6", "x", "one")
	c.Close()
	<-s.gone
	put(t, s, "two\n")
	_, r = server.accept()
	message(t, server.read(r), "6", "x", "two")
}

func TestADeadServerIsAskedAgainMoreAndMoreRarely(t *testing.T) {
	server := newStream(t, "127.0.0.1:0")
	address := server.ln.Addr().String()
	server.ln.Close()
	now := at
	s := opened(t, Syslog{Network: "tcp", Address: address, Tag: "x"}, &now)
	for _, wait := range []time.Duration{waitMin, 2 * waitMin, 4 * waitMin} {
		if n, err := s.Write([]byte("lost\n")); n != 0 || err == nil || errors.Is(err, errDown) || strings.Contains(err.Error(), "dial") {
			t.Fatalf("%d, %v", n, err)
		}
		now = now.Add(wait - 1)
		if _, err := s.Write([]byte("lost\n")); !errors.Is(err, errDown) {
			t.Fatalf("tried again before its time: %v", err)
		}
		now = now.Add(1)
	}
	back := newStream(t, address)
	put(t, s, "found\n")
	_, r := back.accept()
	if got := back.read(r); !strings.HasSuffix(got, " found") {
		t.Errorf("got %q", got)
	}
	for range 20 {
		s.rest(now)
	}
	if s.wait != waitMax {
		t.Errorf("waits %v", s.wait)
	}
	if s.rest(now.Add(time.Hour)); s.wait != waitMin {
		t.Errorf("after an hour without a fault it waits %v", s.wait)
	}
}

func TestReopenTriesAtOnce(t *testing.T) {
	socket := aSocket(t)
	now := at
	s := opened(t, Syslog{Network: "unixgram", Address: socket, Tag: "x"}, &now)
	if _, err := s.Write([]byte("lost\n")); err == nil {
		t.Fatal("nobody listens")
	}
	c := datagrams(t, "unixgram", socket)
	if _, err := s.Write([]byte("lost\n")); !errors.Is(err, errDown) {
		t.Fatal(err)
	}
	s.Reopen()
	put(t, s, "found\n")
	message(t, receive(t, c), "6", "x", "found")
}

// A server that takes nothing costs lines, and the error says how many bytes are those of lines that went out.
func TestAServerThatTakesNothingIsGivenUp(t *testing.T) {
	server := newStream(t, "127.0.0.1:0")
	now := at
	s := opened(t, Syslog{Network: "tcp", Address: server.ln.Addr().String(), Tag: "x"}, &now)
	lines := bytes.Repeat([]byte(strings.Repeat("x", 99)+"\n"), 655)
	var n int
	var err error
	for sent := 0; err == nil && sent < 1<<30; sent += n { // until all buffers on the way are full
		n, err = s.Write(lines)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || n >= len(lines) || n%100 != 0 || s.conn != nil {
		t.Errorf("%d of %d bytes, %v", n, len(lines), err)
	}
	if now.After(s.next) {
		t.Error("it is tried again at once")
	}
}

func TestJournalGetsFields(t *testing.T) {
	socket := aSocket(t)
	c := datagrams(t, "unixgram", socket)
	now := at
	s := opened(t, Journal{Socket: socket, Tag: "sluice"}, &now)
	for line, want := range map[string]string{
		`{"status":200,"duration_ms":1.5,"aborted":true,"path":"/a\"b,}","x":""}`: "SLUICE_STATUS=200\nSLUICE_DURATION_MS=1.5\nSLUICE_ABORTED=true\nSLUICE_PATH=/a\\\"b,}\nSLUICE_X=\nPRIORITY=6\n",
		`{"status":503}`:            "SLUICE_STATUS=503\nPRIORITY=3\n",
		`1.2.3.4 - - "GET / x" 200`: "PRIORITY=6\n",
		`{"a":1,"B":2}`:             "SLUICE_A=1\nPRIORITY=6\n",
		`{"a":1,"b":"x`:             "SLUICE_A=1\nPRIORITY=6\n",
		`{}`:                        "PRIORITY=6\n",
		`{"a b":1}`:                 "PRIORITY=6\n",
	} {
		put(t, s, line+"\n")
		if got := receive(t, c); got != "MESSAGE="+line+"\nSYSLOG_IDENTIFIER=sluice\n"+want {
			t.Errorf("%s became\n%s", line, got)
		}
	}
}

func TestALogGoesToACollector(t *testing.T) {
	c := datagrams(t, "udp", "127.0.0.1:0")
	f, err := logfile.Open(Syslog{Network: "udp", Address: c.LocalAddr().String(), Tag: "x"}, logfile.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	f.Hand(append(f.Buffer(), "one\ntwo\n"...))
	f.Close()
	for _, want := range []string{" one", " two"} {
		if got := receive(t, c); !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
