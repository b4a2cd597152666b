//go:build interop

package interop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// How much load a mix is.
const (
	mixClients   = 64  // connections that ask again and again
	mixSockets   = 200 // WebSockets
	mixDownloads = 20
	mixPatience  = 30 * time.Second // for one answer, message or piece
	messageEvery = 500 * time.Millisecond
	pieceEvery   = 50 * time.Millisecond
)

// A mix is load of all kinds. Its clients try nothing twice, so that no loss stays hidden.
type mix struct {
	t        *testing.T
	addr     string
	stop     chan struct{} // closed when requests and messages shall end
	running  sync.WaitGroup
	requests atomic.Int64
	messages atomic.Int64
	bytes    atomic.Int64 // of downloads

	mu     sync.Mutex
	faults []string // guarded by mu
}

// newMix returns a mix against addr, that does nothing yet.
func newMix(t *testing.T, addr string) *mix {
	m := &mix{t: t, addr: addr, stop: make(chan struct{})}
	t.Cleanup(m.end)
	return m
}

// begin starts all of it, and returns when each WebSocket and download has begun.
func (m *mix) begin() {
	m.t.Helper()
	for i := range mixClients {
		m.running.Go(func() { m.ask(i) })
	}
	for range mixSockets {
		m.socket()
	}
	for range mixDownloads {
		m.download()
	}
}

// end lets everything finish. WebSockets and downloads must do so in order.
func (m *mix) end() {
	m.mu.Lock()
	select {
	case <-m.stop:
	default:
		close(m.stop)
	}
	m.mu.Unlock()
	m.running.Wait()
}

func (m *mix) fault(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

// want fails the test if anything was lost.
func (m *mix) want() {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t.Logf("%d requests, %d messages of WebSockets, %d MiB of downloads, %d failed", m.requests.Load(), m.messages.Load(), m.bytes.Load()>>20, len(m.faults))
	if len(m.faults) > 0 {
		m.t.Errorf("%d failed: %.2000q", len(m.faults), m.faults)
	}
	if m.requests.Load() < 1000 || m.messages.Load() < mixSockets || m.bytes.Load() == 0 {
		m.t.Error("this was no load")
	}
}

// answered waits until so many further requests have been answered.
func (m *mix) answered(n int64) {
	m.t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	late := time.After(mixPatience)
	for from := m.requests.Load(); m.requests.Load() < from+n; {
		select {
		case <-look.C:
		case <-late:
			m.t.Fatal("no answers come any more")
		}
	}
}

// A line is a client's connection.
type line struct {
	net.Conn
	r *bufio.Reader
}

func (m *mix) dial() (*line, error) {
	c, err := net.Dial("tcp", m.addr)
	if err != nil {
		return nil, err
	}
	return &line{c, bufio.NewReader(c)}, nil
}

// ask asks until stop: some clients on a new connection each time, some with pauses in which their connection is quiet.
func (m *mix) ask(i int) {
	var l *line
	for n := 0; ; n++ {
		select {
		case <-m.stop:
			if l != nil {
				l.Close()
			}
			return
		case <-time.After(pauseOf(i, n)):
		}
		var err error
		if l == nil {
			if l, err = m.dial(); err != nil {
				m.fault("client %d can't connect: %v", i, err)
				continue
			}
		}
		last, err := m.exchange(l, i, n)
		if err != nil {
			m.fault("client %d, request %d on connection %s: %v", i, n, l.LocalAddr(), err)
		} else {
			m.requests.Add(1)
		}
		if last || err != nil {
			l.Close()
			l = nil
		}
	}
}

// pauseOf is how long client i waits before its n-th request. A quarter does not, and some are long enough for their connection to outlast several reloads, or the process
// that has it.
func pauseOf(i, n int) time.Duration {
	if i%16 == 3 && n%2 == 1 {
		return time.Duration(i*40) * time.Millisecond
	}
	return time.Duration(i%4*n%7) * time.Millisecond
}

// exchange sends a request and reads its answer; last says that the connection has ended with it.
func (m *mix) exchange(l *line, i, n int) (last bool, err error) {
	text := fmt.Sprintf("GET /echo?%d-%d HTTP/1.1\r\nHost: a.test\r\n\r\n", i, n)
	want := fmt.Sprintf("%d-%d:", i, n)
	switch {
	case n%4 == 1: // a retry of the proxy's would be wrong: whoever loses it, it is lost
		text = fmt.Sprintf("POST /echo?%d-%d HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello", i, n)
		want += "hello"
	case i%8 == 0:
		text = strings.Replace(text, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
	}
	_ = l.SetDeadline(time.Now().Add(mixPatience))
	if _, err := io.WriteString(l, text); err != nil {
		return false, err
	}
	r, err := http.ReadResponse(l.r, nil)
	if err != nil {
		return false, err
	}
	content, err := io.ReadAll(r.Body)
	if err == nil && (r.StatusCode != 200 || string(content) != want) {
		err = fmt.Errorf("got %d %.100q, want %q", r.StatusCode, content, want)
	}
	return r.Close, err
}

// open sends a request and reads the head of its answer.
func (m *mix) open(text string, status int) (*line, *http.Response) {
	m.t.Helper()
	l, err := m.dial()
	if err != nil {
		m.t.Fatal(err)
	}
	_ = l.SetDeadline(time.Now().Add(mixPatience))
	if _, err := io.WriteString(l, text); err != nil {
		m.t.Fatal(err)
	}
	r, err := http.ReadResponse(l.r, nil)
	if err != nil || r.StatusCode != status {
		m.t.Fatalf("%.20q: %v, %v", text, r, err)
	}
	return l, r
}

// socket opens a WebSocket, over which messages go to and fro until stop.
func (m *mix) socket() {
	m.t.Helper()
	l, _ := m.open("GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", http.StatusSwitchingProtocols)
	m.running.Go(func() {
		defer l.Close()
		message, got := []byte(strings.Repeat("x", 125)), make([]byte, 125)
		for {
			_ = l.SetDeadline(time.Now().Add(mixPatience))
			if _, err := l.Write(message); err != nil {
				m.fault("WebSocket %s: %v", l.LocalAddr(), err)
				return
			}
			if _, err := io.ReadFull(l.r, got); err != nil || string(got) != string(message) {
				m.fault("WebSocket %s: %v", l.LocalAddr(), err)
				return
			}
			m.messages.Add(1)
			select {
			case <-m.stop:
				return
			case <-time.After(messageEvery):
			}
		}
	})
}

// download begins a download, which ends some time after stop.
func (m *mix) download() {
	m.t.Helper()
	l, r := m.open("GET /long HTTP/1.1\r\nHost: a.test\r\n\r\n", 200)
	m.running.Go(func() {
		defer l.Close()
		piece := make([]byte, len(longPiece))
		for {
			_ = l.SetDeadline(time.Now().Add(mixPatience))
			n, err := io.ReadFull(r.Body, piece)
			m.bytes.Add(int64(n))
			switch {
			case err == io.EOF: // the last chunk, at the end of a piece
				return
			case err != nil:
				m.fault("download %s: %v", l.LocalAddr(), err)
				return
			case string(piece) != longPiece:
				m.fault("download %s: other bytes", l.LocalAddr())
				return
			}
		}
	})
}

// longPiece is what downloads are made of.
var longPiece = noise(16 << 10)

// mixOrigin starts an origin for the mix, whose downloads go on until the mix ends.
func mixOrigin(t *testing.T, m *mix) (addr string) {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, q *http.Request) {
		content, _ := io.ReadAll(q.Body)
		fmt.Fprintf(w, "%s:%s", q.URL.RawQuery, content)
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, q *http.Request) {
		for {
			if _, err := io.WriteString(w, longPiece); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-m.stop:
				return
			case <-time.After(pieceEvery):
			}
		}
	})
	mux.HandleFunc("/chat", func(w http.ResponseWriter, q *http.Request) {
		conn, stream, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"))
		_, err = io.Copy(conn, stream)
		if err != nil && !errors.Is(err, net.ErrClosed) {
			m.fault("a WebSocket's end at the origin: %v", err)
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}
