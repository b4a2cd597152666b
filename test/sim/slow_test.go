package sim

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/buf"
	"sluice/internal/build"
	"sluice/internal/config"
	"sluice/internal/loop/looptest"
	"sluice/internal/observe"
	"sluice/internal/observe/metric"
)

// slowConfig leaves all limits at their defaults: those are what must hold. Slow clients have a site and an origin of their own, so that the other one can judge
// what it gets.
var slowConfig = fmt.Sprintf(`sites:
  "http://a.example": { to: { servers: [%q], keep_alive: { idle: %v } } }
  "http://slow.example": { to: { servers: [%q], keep_alive: { idle: %v } } }
`, address(0), idleKept, slowAddress, idleKept)

// slowAddress is where the slow clients' origin listens.
const slowAddress = "10.0.2.1:80"

// The limits of slowConfig.
const (
	headTimeout   = 10 * time.Second
	rateMin       = 240 // bytes per second
	rateAfter     = 5 * time.Second
	sendTimeout   = time.Minute
	lingerTimeout = 5 * time.Second
	tunnelTimeout = time.Hour
	sendGrant     = buf.Huge * time.Second / rateMin // what a write may take besides, if it takes something: the time of its bytes at the minimum rate
)

// A measuredRun is a run whose proxy counts. It has no plan but what its test draws.
type measuredRun struct {
	*run
	set *metric.Set
	end func()
}

// measure starts the proxy of that config. It has two loops, and nobody means harm by more than being slow.
func measure(t *testing.T, seed uint64, text string) *measuredRun {
	w := looptest.New(seed)
	p := &plan{seed: seed, sound: true, drivers: 2, attempts: 1, origins: []state{up}}
	m := &measuredRun{run: &run{World: w, plan: p, t: t, began: w.Now(), statuses: map[int]int{}}, set: metric.NewSet(2)}
	d := &config.Decoder{Features: build.Features()}
	snap := build.Build(d, config.Load(d, config.Text("sim", text), "sim"), nil, build.Env{Loops: p.drivers, Metrics: observe.NewMetrics(m.set)})
	if d.Failed() {
		t.Fatal(d.Diagnostics)
	}
	m.current.Store(snap)
	for _, pool := range snap.Pools {
		m.endpoints = append(m.endpoints, pool.Endpoints...)
	}
	m.end = m.proxy()
	m.serveOrigins()
	return m
}

// serve has an actor answer each connection to address.
func (m *measuredRun) serve(address string, answer func(c *looptest.Conn, in *bufio.Reader)) {
	ln := m.Serve(address)
	m.listeners = append(m.listeners, ln)
	m.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			m.Go(func() { defer c.Close(); answer(c, bufio.NewReader(c)) })
		}
	})
}

// reached is how often each limit was reached, those that never were left out.
func (m *measuredRun) reached() map[string]int64 {
	var text bytes.Buffer
	if err := m.set.WriteText(&text); err != nil {
		m.failf("metrics: %v", err)
	}
	counts := map[string]int64{}
	for line := range strings.Lines(text.String()) {
		rest, ok := strings.CutPrefix(line, `sluice_limits_reached_total{limit="`)
		limit, value, _ := strings.Cut(rest, `"} `)
		if n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64); ok && n > 0 {
			counts[limit] = n
		}
	}
	return counts
}

// conns is how many connections of clients there are.
func (m *measuredRun) conns() (n int) {
	for _, l := range m.loops {
		n += int(l.Conns())
	}
	return n
}

// over looks for what is left when all clients have gone, and compares the limits reached.
func (m *measuredRun) over(limits map[string]int64) {
	maps.DeleteFunc(limits, func(_ string, n int64) bool { return n == 0 })
	m.rest()
	for _, l := range m.loops {
		m.check(l.Stat().Tasks == 0, "%d tasks are left", l.Stat().Tasks)
	}
	for _, ln := range m.listeners {
		ln.Close()
	}
	if err := m.Wait(); err != nil {
		m.failf("actors hang: %v", err)
	}
	m.halt(m.end)
	m.check(m.Open() == 0, "%d descriptors are left", m.Open())
	m.check(m.accepted == m.ended, "%d connections were accepted, %d have ended", m.accepted, m.ended)
	m.check(m.logged.Len() == 0, "logged: %s", &m.logged)
	m.check(maps.Equal(m.reached(), limits), "limits reached: %v, want %v", m.reached(), limits)
}

// eachSeed runs a test that takes long by a few seeds, by one under the race detector, or by the one that the flag says.
func eachSeed(n int, f func(seed uint64)) {
	if *seedFlag >= 0 {
		f(uint64(*seedFlag))
		return
	}
	if raceEnabled {
		n = 1
	}
	for seed := range uint64(n) {
		f(seed)
	}
}

// A slowness is how a client is slow.
type slowness int

const (
	silent       slowness = iota // it sends nothing
	dripsHead                    // its head comes byte by byte
	dripsOn                      // so does that one's, which goes on after the answer
	dripsContent                 // its content comes below the minimum rate
	takesNothing                 // of a response
	sips                         // it takes a response byte by byte
	slownesses
)

// A slowClient is one of a crowd.
type slowClient struct {
	slowness
	id       int
	conn     *looptest.Conn
	every    time.Duration // between two pieces
	piece    int           // bytes of a piece
	next     time.Time     // when the next one goes
	limit    time.Time     // when the proxy must end it, or may if it is one that takes little
	got      []byte
	taken    int // bytes of a response
	answered bool
	over     bool
}

// A crowd is all slow clients, moved by one actor: an actor for each would cost the world too much.
type crowd struct {
	*measuredRun
	rand    *rand.Rand
	clients []*slowClient
	came    int // those that have connected
	left    int // those that are not over
	count   [slownesses]int64
}

const (
	crowdTick  = 100 * time.Millisecond
	crowdBurst = 500             // connections in one tick
	crowdLate  = 3 * crowdTick   // how long after a limit the crowd has noticed at the latest
	sippedSize = 240_000         // of a response: no socket has room for it
	promptly   = 2 * time.Second // the longest that an ordinary exchange may take
)

// gather draws the crowd.
func gather(m *measuredRun, n int) *crowd {
	w := &crowd{measuredRun: m, rand: rand.New(rand.NewPCG(m.seed, 0x510)), left: n}
	kinds := []slowness{
		silent, silent, dripsHead, dripsHead, dripsHead, dripsHead, dripsHead, dripsHead, dripsHead, dripsHead, dripsHead, dripsHead, dripsOn, dripsOn,
		dripsContent, dripsContent, dripsContent, dripsContent, takesNothing, sips,
	}
	for i := range n {
		c := &slowClient{slowness: kinds[i%len(kinds)], id: i, piece: 1, every: time.Second + time.Duration(w.rand.IntN(2000))*time.Millisecond}
		if c.slowness == dripsContent {
			c.piece = 1 + int(c.every.Seconds()*float64(w.rand.IntN(200)))
		}
		w.count[c.slowness]++
		w.clients = append(w.clients, c)
	}
	return w
}

// live is the crowd's life.
func (w *crowd) live() {
	for w.left > 0 {
		for range min(crowdBurst, len(w.clients)-w.came) {
			w.come(w.clients[w.came])
			w.came++
		}
		for _, c := range w.clients[:w.came] {
			if !c.over {
				w.move(c)
			}
		}
		w.Sleep(crowdTick)
	}
}

// come connects a client and sends what it is not slow with.
func (w *crowd) come(c *slowClient) {
	c.limit = w.Now().Add(headTimeout)
	conn, err := w.Dial(proxyAddress)
	if err != nil {
		w.failf("slow client %d: %v", c.id, err)
		c.over = true
		w.left--
		return
	}
	c.conn = conn
	now := w.Now()
	c.next = now.Add(c.every)
	text := "GET / HTTP/1.1\r\nHost: slow.example\r\n"
	switch c.slowness {
	case silent:
		return
	case dripsHead, dripsOn:
		text, c.limit = text[:1+w.rand.IntN(len(text))], now.Add(headTimeout)
	case dripsContent:
		text = "POST / HTTP/1.1\r\nHost: slow.example\r\n" + []string{"Content-Length: 1000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nf4240\r\n"}[w.rand.IntN(2)]
		c.limit = now.Add(rateAfter)
	default:
		text, c.limit = text+"\r\n", now.Add(sendTimeout)
	}
	_, _ = conn.Write([]byte(text))
}

// move lets a client do what is due, and looks whether it has been ended, by right.
func (w *crowd) move(c *slowClient) {
	if c.slowness == takesNothing || c.slowness == sips {
		w.sip(c)
		return
	}
	err := c.hear(w.Now())
	late := w.Now().Sub(c.limit)
	if len(c.got) > 0 || err != nil {
		w.check(c.answered || late >= 0, "slow client %d is ended %v before its limit: %q, %v", c.id, -late, c.got, err)
		c.answered = true
	}
	w.check(c.answered || late < crowdLate, "slow client %d goes on after its limit", c.id)
	switch {
	case err != nil && (c.slowness != dripsOn || err != io.EOF) || !c.answered && late >= crowdLate:
		w.judgeEnd(c, late, err)
	case c.slowness != silent:
		w.drip(c)
	}
}

// drip sends a piece if one is due. It keeps away from its limit: what is sent just before it may come too late.
func (w *crowd) drip(c *slowClient) {
	now := w.Now()
	if now.Before(c.next) || !c.answered && now.After(c.limit.Add(-crowdTick)) {
		return
	}
	c.next = now.Add(c.every)
	_, _ = c.conn.Write(bytes.Repeat([]byte("x"), c.piece))
	if c.slowness == dripsContent {
		c.limit = c.limit.Add(time.Duration(c.piece) * time.Second / rateMin)
	}
}

// judgeEnd looks at how a client was ended.
func (w *crowd) judgeEnd(c *slowClient, late time.Duration, err error) {
	right := err == io.EOF && bytes.HasPrefix(c.got, []byte("HTTP/1.1 408 Request Timeout\r\n"))
	switch c.slowness {
	case silent:
		right = err == io.EOF && len(c.got) == 0
	case dripsOn: // a byte after the end is answered by a reset, and the one after that hears of it
		right = errors.Is(err, syscall.ECONNRESET) && bytes.HasPrefix(c.got, []byte("HTTP/1.1 408 ")) && late >= lingerTimeout && late < lingerTimeout+3*c.every
	}
	w.check(right, "slow client %d (%d) is ended %v after its limit by %q, %v", c.id, c.slowness, late, c.got, err)
	w.leave(c)
}

// sip takes a byte if one is due. When its time is over the client takes all: there must be less than the whole, and no end in order.
func (w *crowd) sip(c *slowClient) {
	now := w.Now()
	over := now.After(c.limit.Add(promptly))
	if c.slowness == sips {
		over = now.After(c.limit.Add(sendGrant))
	}
	if !over && (c.slowness == takesNothing || now.Before(c.next)) {
		return
	}
	c.next = now.Add(c.every)
	room := make([]byte, c.piece)
	if over {
		room = make([]byte, sippedSize)
	}
	_ = c.conn.SetReadDeadline(now)
	n, err := c.conn.Read(room)
	if c.taken += n; over && err == nil {
		_, err = c.conn.Read(room)
	}
	if err != nil && (over || !errors.Is(err, os.ErrDeadlineExceeded)) {
		late := now.Sub(c.limit)
		w.check(errors.Is(err, syscall.ECONNRESET) && late > 0 && c.taken < sippedSize, "slow reader %d got %d bytes, and %v after its limit %v", c.id, c.taken, late, err)
		w.leave(c)
	}
}

func (w *crowd) leave(c *slowClient) {
	_ = c.conn.Close()
	c.over = true
	w.left--
}

// hear reads what has come, without waiting.
func (c *slowClient) hear(now time.Time) error {
	_ = c.conn.SetReadDeadline(now)
	var b [512]byte
	for {
		n, err := c.conn.Read(b[:])
		c.got = append(c.got, b[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// answerSlow is the slow clients' origin. It is fast, and never gets a whole request with content.
func (w *crowd) answerSlow(c *looptest.Conn, in *bufio.Reader) {
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		w.check(req.Method == "GET", "slow content is whole")
		if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", sippedSize, strings.Repeat("x", sippedSize)); err != nil {
			return
		}
	}
}

// ordinary draws clients that mean well and are in a hurry.
func (m *measuredRun) ordinary(n int) {
	r := rand.New(rand.NewPCG(m.seed, 0x0bd))
	for i := range n {
		m.clients = append(m.clients, m.drawClient(r, i))
	}
	for _, x := range m.exchanges {
		x.delay, x.mute = 0, false
		x.size, x.sent = min(x.size, 30_000), min(x.sent, 30_000)
	}
}

// Slow clients by the thousand: each is ended at its limit and not before, and nobody else notices that they are there.
func TestSimulationServesOthersBesideThousandsOfSlowClients(t *testing.T) {
	n := 3000
	if raceEnabled {
		n = 600
	}
	eachSeed(1, func(seed uint64) {
		m := measure(t, seed, slowConfig)
		w := gather(m, n)
		m.serve(slowAddress, w.answerSlow)
		m.Go(w.live)
		m.ordinary(100)
		m.busy = len(m.clients)
		for i, c := range m.clients {
			m.Go(func() {
				m.Sleep(time.Duration(i) * 200 * time.Millisecond)
				began := m.Now()
				m.exchangeAll(c)
				took := m.Now().Sub(began) / time.Duration(len(c.exchanges))
				m.check(took < promptly, "client %d: an exchange takes %v", c.id, took)
				m.busy--
			})
		}
		m.check(m.Until(func() bool { return w.came == n && m.conns() >= n }, rateAfter), "%d connections, want %d slow ones at once", m.conns(), n)
		m.Sleep(m.began.Add(sendTimeout).Sub(m.Now()))
		m.check(m.reached()["limits.send_timeout"] == 0, "a slow reader is ended too early")
		m.check(m.busy == 0, "%d ordinary clients are not over", m.busy)
		m.check(m.Until(func() bool { return w.left == 0 }, time.Hour), "%d slow clients are not over", w.left)
		m.over(map[string]int64{
			"limits.head_timeout":   w.count[silent] + w.count[dripsHead] + w.count[dripsOn],
			"limits.linger_timeout": w.count[dripsOn],
			"limits.min_rate":       w.count[dripsContent],
			"limits.send_timeout":   w.count[takesNothing] + w.count[sips],
		})
	})
}

// Who reads slowly and keeps to the minimum rate gets all of a response, though it takes many times send_timeout, and though its socket tells of room less often
// than that.
func TestSimulationServesASlowReaderToTheEnd(t *testing.T) {
	eachSeed(8, func(seed uint64) {
		m := measure(t, seed, slowConfig)
		w := gather(m, 0)
		m.serve(slowAddress, w.answerSlow)
		got := 0
		m.Go(func() {
			c, err := m.Dial(proxyAddress)
			if err != nil {
				m.failf("%v", err)
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: slow.example\r\nConnection: close\r\n\r\n")
			for piece := make([]byte, 2*rateMin); err == nil; m.Sleep(time.Second) {
				var n int
				n, err = c.Read(piece)
				got += n
			}
			m.check(err == io.EOF && got > sippedSize, "after %d bytes: %v", got, err)
			got = sippedSize
		})
		m.check(m.Until(func() bool { return got == sippedSize }, time.Hour), "%d bytes have come", got)
		m.over(map[string]int64{})
	})
}
