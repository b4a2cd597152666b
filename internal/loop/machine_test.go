package loop_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/loop"
	"sluice/internal/loop/looptest"
)

// A machine is one engine with a network: what a test of behaviour runs on. The same bodies run on all of them.
type machine struct {
	t      testing.TB
	loops  []*loop.Loop // empty on Goroutines
	plain  *loop.Goroutines
	world  *looptest.World // nil but in a simulation
	log    *logText
	listen func(a *loop.Accept) (address string, stop func()) // the engine accepts
	dial   func(address string) (peer, error)                 // a client outside the engine connects
	serve  func(unix bool) (address string, accept func() peer)
	dark   func() string // an address that answers nothing
	pass   func(d time.Duration)
	until  func(ok func() bool) // waits for what others bring about
	stop   func()               // stops the engine
	after  []func()
}

// A peer is the test's end of a connection.
type peer interface {
	net.Conn
	CloseWrite() error
	Reset()
}

// seeds is how many simulations each body runs in.
func seeds() uint64 {
	if raceEnabled || testing.Short() {
		return 4
	}
	return 12
}

// each runs body on every machine.
func each(t *testing.T, body func(t *testing.T, m *machine)) {
	t.Helper()
	eachLoop(t, body)
	t.Run("goroutines over sockets", func(t *testing.T) { run(t, newSockets(t), body) })
	t.Run("goroutines over fakes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, newFakes(t), body) })
	})
}

// eachLoop runs body on every machine that has loops.
func eachLoop(t *testing.T, body func(t *testing.T, m *machine)) {
	t.Helper()
	if runtime.GOOS == "linux" {
		t.Run("one loop", func(t *testing.T) { run(t, newEpoll(t, 1, loop.WaitNetpoller), body) })
		t.Run("two loops", func(t *testing.T) { run(t, newEpoll(t, 2, loop.WaitNetpoller), body) })
		t.Run("two blocking loops", func(t *testing.T) { run(t, newEpoll(t, 2, loop.WaitBlocking), body) })
	}
	eachSim(t, body)
}

// eachSim runs body in simulations, by several seeds.
func eachSim(t *testing.T, body func(t *testing.T, m *machine)) {
	t.Helper()
	for seed := range seeds() {
		t.Run(fmt.Sprintf("simulation, seed %d", seed), func(t *testing.T) { run(t, newSim(t, seed, 1+int(seed%2)), body) })
	}
}

func run(t *testing.T, m *machine, body func(t *testing.T, m *machine)) {
	m.t = t
	defer func() {
		if m.stop != nil {
			m.stop()
		}
		for _, fn := range m.after {
			fn()
		}
		if text := m.log.String(); text != "" {
			t.Errorf("logged:\n%s", text)
		}
	}()
	body(t, m)
}

// driver is the first driver.
func (m *machine) driver() loop.Driver {
	if m.plain != nil {
		return m.plain
	}
	return m.loops[0]
}

// task runs fn as a task of the first driver; the returned function waits for its end.
func (m *machine) task(fn func(d loop.Driver)) (wait func()) {
	var mu sync.Mutex
	over := false
	d := m.driver()
	job := func() {
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			over = true
		}()
		fn(d)
	}
	loop.Run(d, func() { d.Go(job) })
	return func() {
		m.t.Helper()
		m.until(func() bool {
			mu.Lock()
			defer mu.Unlock()
			return over
		})
	}
}

// do runs fn as a task and waits for its end.
func (m *machine) do(fn func(d loop.Driver)) {
	m.t.Helper()
	m.task(fn)()
}

// handler is a loop.Handler made of a function.
type handler func()

func (h handler) Serve() { h() }

// accepts makes the engine accept connections, each served by fn.
func (m *machine) accepts(fn func(c loop.Conn)) (address string) {
	m.t.Helper()
	address, stop := m.listen(&loop.Accept{
		Handler: func(c loop.Conn) loop.Handler { return handler(func() { fn(c) }) },
		Paused:  func(err error) { m.t.Error("paused: ", err) },
	})
	m.after = append(m.after, stop)
	return address
}

// connect connects a client.
func (m *machine) connect(address string) peer {
	m.t.Helper()
	p, err := m.dial(address)
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

// pair returns a connection of the engine, which a task must use, and its peer.
func (m *machine) pair() (loop.Conn, peer) {
	m.t.Helper()
	address, accept := m.serve(false)
	var c loop.Conn
	wait := m.task(func(d loop.Driver) {
		var err error
		if c, err = d.Dial("tcp", address, 0, nil); err != nil {
			m.t.Error(err)
		}
	})
	p := accept()
	wait()
	return c, p
}

// logText is a logger's text, for all to write.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// take returns the text and forgets it: the test expected it.
func (l *logText) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

func (l *logText) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// patience is how long a test on the machine's own clock waits for what should come at once.
const patience = 20 * time.Second

// untilReal is until on the machine's own clock.
func untilReal(t testing.TB, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("this did not happen in time")
		}
	}
}

func passReal(d time.Duration) { <-time.After(d) }

// tcpPeer adds Reset.
type tcpPeer struct{ *net.TCPConn }

func (p tcpPeer) Reset() {
	_ = p.SetLinger(0)
	_ = p.Close()
}

type unixPeer struct{ *net.UnixConn }

func (p unixPeer) Reset() { _ = p.Close() }

func asPeer(c net.Conn) peer {
	_ = c.SetDeadline(time.Now().Add(patience))
	switch c := c.(type) {
	case *net.TCPConn:
		return tcpPeer{c}
	case *net.UnixConn:
		return unixPeer{c}
	}
	panic("not a peer")
}

func dialReal(address string) (peer, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return asPeer(c), nil
}

// serveReal makes serve on the machine's own network.
func serveReal(t testing.TB) func(unix bool) (string, func() peer) {
	return func(unix bool) (string, func() peer) {
		t.Helper()
		network, address := "tcp", "127.0.0.1:0"
		if unix {
			network, address = "unix", filepath.Join(t.TempDir(), "s")
		}
		ln, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		return ln.Addr().String(), func() peer {
			c, err := ln.Accept()
			if err != nil {
				t.Error(err)
				return nil
			}
			t.Cleanup(func() { c.Close() })
			return asPeer(c)
		}
	}
}

// darkReal returns an address whose queue of connections is full, so that the kernel drops further ones.
func darkReal(t testing.TB) func() string {
	return func() string {
		t.Helper()
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Close(fd) })
		err = errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0))
		sa, err2 := syscall.Getsockname(fd)
		if err = errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		address := fmt.Sprintf("127.0.0.1:%d", sa.(*syscall.SockaddrInet4).Port)
		for range 2 {
			if c, err := net.DialTimeout("tcp", address, 50*time.Millisecond); err == nil {
				t.Cleanup(func() { c.Close() })
			}
		}
		return address
	}
}

// listenFd returns the descriptor of a listening socket that is nobody else's.
func listenFd(t testing.TB) (fd int, address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if fd, err = syscall.Dup(int(f.Fd())); err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	return fd, ln.Addr().String()
}

func newEpoll(t testing.TB, n int, w loop.Waiting) *machine {
	m := &machine{log: &logText{}, dial: dialReal, serve: serveReal(t), dark: darkReal(t), pass: passReal}
	m.until = func(ok func() bool) { t.Helper(); untilReal(t, ok) }
	g := &loop.Group{}
	for id := range n {
		sys, err := loop.NewSystem(w)
		if err != nil {
			t.Fatal(err)
		}
		l := loop.New(id, sys, loop.SystemClock{}, m.log.logger())
		g.Loops = append(g.Loops, l)
		go l.Run()
	}
	m.loops = g.Loops
	m.listen = func(a *loop.Accept) (string, func()) {
		fd, address := listenFd(t)
		return address, g.Listen(fd, a)
	}
	m.stop = func() {
		for _, l := range g.Loops {
			l.Stop()
		}
	}
	return m
}

func newSim(t testing.TB, seed uint64, n int) *machine {
	w := looptest.New(seed)
	m := &machine{log: &logText{}, world: w, pass: w.Sleep}
	m.dial = func(address string) (peer, error) {
		c, err := w.Dial(address)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	ports := 0
	name := func(unix bool) string {
		ports++
		if unix {
			return fmt.Sprintf("/run/%d", ports)
		}
		return fmt.Sprintf("10.0.0.2:%d", ports)
	}
	m.serve = func(unix bool) (string, func() peer) {
		address := name(unix)
		ln := w.Serve(address)
		m.after = append(m.after, ln.Close)
		return address, func() peer {
			c, err := ln.Accept()
			if err != nil {
				t.Error(err)
			}
			return c
		}
	}
	m.dark = func() string { a := name(false); w.Dark(a, true); return a }
	m.until = func(ok func() bool) {
		t.Helper()
		if !w.Until(ok, time.Hour) {
			t.Fatal("this did not happen")
		}
	}
	g := &loop.Group{}
	for id := range n {
		sys := w.System()
		l := loop.New(id, sys, w, m.log.logger())
		g.Loops = append(g.Loops, l)
		sys.Start(l.Run)
	}
	m.loops = g.Loops
	m.listen = func(a *loop.Accept) (string, func()) {
		address := name(false)
		stop := g.Listen(w.Listen(address), a)
		return address, func() { w.Outside(stop) }
	}
	m.stop = func() {
		for _, l := range g.Loops {
			w.Outside(l.Stop)
		}
	}
	return m
}

func newSockets(t testing.TB) *machine {
	m := &machine{log: &logText{}, dial: dialReal, serve: serveReal(t), dark: darkReal(t), pass: passReal}
	m.until = func(ok func() bool) { t.Helper(); untilReal(t, ok) }
	m.goroutines(loop.NewGoroutines(nil))
	m.listen = func(a *loop.Accept) (string, func()) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		m.plain.Listen(ln, a)
		return ln.Addr().String(), func() { ln.Close() }
	}
	return m
}

func (m *machine) goroutines(g *loop.Goroutines) {
	m.plain = g
	g.Log = m.log.logger()
	m.stop = g.Stop
}

// newFakes is for a bubble of synctest: time passes when all goroutines wait.
func newFakes(t testing.TB) *machine {
	n := &fakeNet{listeners: map[string]*fakeListener{}}
	m := &machine{log: &logText{}, pass: passReal}
	m.dial = func(address string) (peer, error) {
		c, err := n.dial(context.Background(), "tcp", address)
		if err != nil {
			return nil, err
		}
		return c.(peer), nil
	}
	m.serve = func(bool) (string, func() peer) {
		ln := n.listen()
		m.after = append(m.after, func() { ln.Close() })
		return ln.address, func() peer {
			c, err := ln.Accept()
			if err != nil {
				t.Error(err)
				return nil
			}
			return c.(peer)
		}
	}
	m.dark = func() string { return "dark" }
	m.until = func(ok func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Hour); !ok(); <-time.After(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("this did not happen")
			}
		}
	}
	m.goroutines(loop.NewGoroutines(n.dial))
	m.listen = func(a *loop.Accept) (string, func()) {
		ln := n.listen()
		m.plain.Listen(ln, a)
		return ln.address, func() { ln.Close() }
	}
	return m
}

// readAll reads n bytes from p.
func readAll(t *testing.T, p io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(p, b); err != nil {
		t.Fatal("read: ", err)
	}
	return string(b)
}

func write(t *testing.T, p io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		t.Fatal("write: ", err)
	}
}

// pattern returns n bytes that tell where they belong.
func pattern(n int) []byte {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return []byte(b.String()[:n])
}

// flood is more than any socket takes.
func flood() []byte { return make([]byte, 20<<20) }
