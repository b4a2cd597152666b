package sim

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/internal/loop/looptest"
)

// endLate is how long after its limit something has ended at the latest: a tick of the loop's wheel and some ways through the network.
const endLate = 50 * time.Millisecond

// An upload comes at a steady pace.
type upload struct {
	*exchange
	rate  int           // bytes per second
	every time.Duration // between two pieces
	limit time.Time     // when the proxy ends it, if it is too slow
	over  bool
}

// drawUpload plans an upload of so many bytes of content.
func (m *measuredRun) drawUpload(r *rand.Rand, rate, size int) *upload {
	u := &upload{rate: rate, every: time.Duration(100+r.IntN(4600)) * time.Millisecond}
	u.exchange = &exchange{id: len(m.exchanges), method: "POST", sent: size, chunked: r.IntN(2) == 0, size: 10, spoiled: rate < rateMin}
	m.exchanges = append(m.exchanges, u.exchange)
	return u
}

// due is how many bytes are to be sent after so many intervals.
func (u *upload) due(n int) int {
	return int(int64(n) * int64(u.rate) * int64(u.every) / int64(time.Second))
}

// pace sends the content. Bytes that come give back as much of the time that a client may be slower as the minimum rate wants for them.
func (m *measuredRun) pace(u *upload, l *line, body []byte) {
	u.limit = m.Now().Add(rateAfter)
	for n, sent := 1, 0; sent < len(body); n++ {
		m.Sleep(u.every)
		end := min(u.due(n), len(body))
		if now := m.Now(); u.limit.Before(now.Add(u.every)) && u.rate < rateMin && !now.Before(u.limit.Add(-endLate)) {
			m.Until(func() bool { return u.over }, time.Hour) // a piece on its way when the limit comes might be in time or not
			return
		}
		if _, err := l.Write(body[sent:end]); err != nil {
			return
		}
		u.limit = u.limit.Add(time.Duration(end-sent) * time.Second / rateMin)
		sent = end
	}
}

// carry sends an upload and judges its end.
func (m *measuredRun) carry(u *upload) {
	defer func() { m.busy-- }()
	conn, err := m.Dial(proxyAddress)
	if err != nil {
		m.failf("upload %d: %v", u.id, err)
		return
	}
	defer conn.Close()
	l := &line{Conn: conn, in: bufio.NewReader(conn)}
	head, body := u.text()
	_, _ = l.Write(head)
	m.Go(func() { m.pace(u, l, body) })
	if u.rate > rateMin {
		m.answer(l, u.exchange)
		return
	}
	res, err := http.ReadResponse(l.in, nil)
	late := m.Now().Sub(u.limit)
	u.over = true
	m.check(err == nil && res.StatusCode == http.StatusRequestTimeout && late >= 0 && late < endLate,
		"upload %d, %d B/s in pieces each %v: %v after its limit: %+v, %v", u.id, u.rate, u.every, late, res, err)
}

// A client that keeps to the minimum rate is never ended, however long it takes and whatever its pieces are; one that is slower is.
func TestSimulationServesALongUploadAtASteadyPace(t *testing.T) {
	eachSeed(2, func(seed uint64) {
		m := measure(t, seed, slowConfig)
		r := rand.New(rand.NewPCG(seed, 0x10a6))
		uploads := []*upload{m.drawUpload(r, 300, 4_000_000)} // three hours and a half
		for range 6 {
			uploads = append(uploads, m.drawUpload(r, rateMin+1+r.IntN(60), 600_000), m.drawUpload(r, 180+r.IntN(rateMin-180), 600_000))
		}
		m.busy = len(uploads)
		for _, u := range uploads {
			m.Go(func() { m.carry(u) })
		}
		began := m.Now()
		m.check(m.Until(func() bool { return m.busy == 0 }, 4*time.Hour), "%d uploads hang", m.busy)
		m.check(m.Now().Sub(began) > 3*time.Hour, "the long upload is over after %v", m.Now().Sub(began))
		m.check(m.statuses[http.StatusOK] == 7, "responses by status: %v", m.statuses)
		m.over(map[string]int64{"limits.min_rate": 6})
	})
}

// A tunnel is both its ends.
type tunnel struct{ client, origin *looptest.Conn }

// open upgrades a connection.
func (m *measuredRun) open(origins *[]*looptest.Conn) *tunnel {
	c, err := m.Dial(proxyAddress)
	if err != nil {
		m.failf("tunnel: %v", err)
		return nil
	}
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: slow.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		m.failf("tunnel: %+v, %v", res, err)
		return nil
	}
	return &tunnel{c, (*origins)[len(*origins)-1]}
}

// talk says something now and then, at one end or the other, and then no more: the tunnel stays as long as it may.
func (m *measuredRun) talk(p *tunnel, r *rand.Rand) {
	sent, took := m.Now(), m.Now()
	for range r.IntN(6) {
		m.Sleep(time.Minute + time.Duration(r.Int64N(int64(tunnelTimeout-time.Minute-time.Second))))
		from, to := p.client, p.origin
		if r.IntN(2) == 0 {
			from, to = to, from
		}
		sent = m.Now()
		_, _ = from.Write([]byte("x"))
		if n, err := to.Read(make([]byte, 2)); n != 1 {
			m.failf("a tunnel has ended after a silence: %v", err)
			return
		}
		took = m.Now()
	}
	for _, end := range []*looptest.Conn{p.client, p.origin} {
		_, err := end.Read(make([]byte, 1))
		now := m.Now()
		m.check(err == io.EOF, "a silent tunnel ends by %v", err)
		m.check(now.Sub(sent) >= tunnelTimeout && now.Sub(took) < tunnelTimeout+endLate, "a tunnel is ended after a silence of %v", now.Sub(sent))
	}
}

// A tunnel may be silent for long, and one end of it for ever. When both have been for limits.tunnel_timeout, it ends.
func TestSimulationServesASilentTunnelUntilItsLimit(t *testing.T) {
	const tunnels = 20
	eachSeed(3, func(seed uint64) {
		m := measure(t, seed, slowConfig)
		var origins []*looptest.Conn
		m.serve(slowAddress, func(c *looptest.Conn, in *bufio.Reader) {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			origins = append(origins, c)
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			m.Until(func() bool { return m.busy == 0 }, 24*time.Hour)
		})
		m.busy = tunnels
		for i := range tunnels {
			p := m.open(&origins)
			if p == nil {
				return
			}
			m.Go(func() {
				m.talk(p, rand.New(rand.NewPCG(seed, uint64(i))))
				_ = p.client.Close()
				m.busy--
			})
		}
		m.check(m.Until(func() bool { return m.busy == 0 }, 24*time.Hour), "%d tunnels are left", m.busy)
		m.over(map[string]int64{"limits.tunnel_timeout": tunnels})
	})
}

// Time in which nobody has sent anything is not the receiver's: behind a long pause inside a large content, the other side gets its whole time to take what comes.
func TestSimulationServesContentThatPausesForLong(t *testing.T) {
	const (
		size  = 600_000 // its rest is spliced
		pause = 3 * sendTimeout
	)
	text := "limits: { min_rate: off }\n" + strings.ReplaceAll(slowConfig, "keep_alive:", "timeouts: { idle: 1h }, keep_alive:")
	for _, method := range []string{"POST", "GET"} {
		eachSeed(3, func(seed uint64) {
			m := measure(t, seed, text)
			halves := func(c *looptest.Conn) {
				for range 2 {
					_, _ = c.Write(content('p', 0, size/2))
					m.Sleep(pause)
				}
			}
			got := int64(0)
			m.serve(slowAddress, func(c *looptest.Conn, in *bufio.Reader) {
				req, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				got, err = io.Copy(io.Discard, req.Body)
				m.check(err == nil && got == req.ContentLength, "the origin got %d bytes, %v", got, err)
				_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size-got)
				if got == 0 {
					halves(c)
				}
			})
			c, err := m.Dial(proxyAddress)
			if err != nil {
				t.Fatal(err)
			}
			sent := map[string]int{"POST": size}[method]
			_, _ = fmt.Fprintf(c, "%s / HTTP/1.1\r\nHost: slow.example\r\nContent-Length: %d\r\n\r\n", method, sent)
			if sent > 0 {
				m.Go(func() { halves(c) })
			}
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, res.Body)
			m.check(res.StatusCode == 200 && n+got == size && err == nil, "%s: %s, %d and %d bytes, %v", method, res.Status, got, n, err)
			_ = c.Close()
			m.over(nil)
		})
	}
}
