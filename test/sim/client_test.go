package sim

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"sluice/internal/loop/looptest"
)

// proxyAddress is where the proxy listens.
const proxyAddress = "10.0.0.2:80"

// text is a request as it is sent: the head and the content.
func (x *exchange) text() (head, body []byte) {
	out := fmt.Sprintf("%s /%d HTTP/1.%d\r\nHost: a.example\r\nX-Exchange: %d\r\n", x.method, x.id, map[bool]int{false: 1, true: 0}[x.http10], x.id)
	body = content('q', x.id, x.sent)
	switch {
	case x.chunked:
		out += "Transfer-Encoding: chunked\r\n"
		body = chunks(body)
	case x.method == "POST" || x.method == "PUT":
		out += fmt.Sprintf("Content-Length: %d\r\n", x.sent)
	}
	if x.expects {
		out += "Expect: 100-continue\r\n"
	}
	if x.keep {
		out += "Connection: keep-alive\r\n"
	}
	return []byte(out + "\r\n"), body
}

// A line is a client's connection.
type line struct {
	*looptest.Conn
	in     *bufio.Reader
	failed error // of a write
}

// Write implements io.Writer.
func (l *line) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	if err != nil {
		l.failed = err
	}
	return n, err
}

// exchangeAll is a client's life: connections until all exchanges are over.
func (r *run) exchangeAll(c *client) {
	for left := c.exchanges; len(left) > 0; {
		conn, err := r.Dial(proxyAddress)
		if err != nil {
			r.check(r.stopped, "client %d: %v", c.id, err)
			return
		}
		left = r.connection(c, &line{Conn: conn, in: bufio.NewReader(conn)}, left)
		_ = conn.Close()
	}
}

// connection makes exchanges over one connection. It returns those that remain when that is over.
func (r *run) connection(c *client, l *line, left []*exchange) []*exchange {
	for len(left) > 0 {
		batch := left[:1]
		if c.pairs {
			batch = left[:min(2, len(left))]
		}
		left = left[len(batch):]
		if len(left) == 0 && c.conduct != behaves {
			r.spoil(c, l, batch)
			return nil
		}
		written := false
		r.Go(func() {
			r.write(l, batch)
			if c.halfClose {
				_ = l.CloseWrite()
			}
			written = true
		})
		for i, x := range batch {
			x.chased = i+1 < len(batch)
			if more := r.answer(l, x); !more {
				return left
			}
		}
		r.Until(func() bool { return written }, time.Minute)
		r.check(written, "client %d: its request is not taken", c.id)
		if c.halfClose {
			return left
		}
		r.Sleep(time.Duration(c.rand.IntN(50)) * time.Millisecond)
	}
	return nil
}

// write sends requests. Content that wants to be asked for is sent after a second if it is not.
func (r *run) write(l *line, batch []*exchange) {
	for _, x := range batch {
		head, body := x.text()
		if !x.expects {
			head, body = append(head, body...), nil
		}
		if _, err := l.Write(head); err != nil {
			return
		}
		if x.expects {
			r.Until(func() bool { return x.continued }, time.Second)
		}
		if _, err := l.Write(body); err != nil {
			return
		}
	}
}

// spoil is a client's misconduct, after which it leaves.
func (r *run) spoil(c *client, l *line, batch []*exchange) {
	var text []byte
	for _, x := range batch {
		x.spoiled = true
		head, body := x.text()
		text = append(append(text, head...), body...)
	}
	at := c.rand.IntN(len(text) + 1)
	if c.conduct == deaf || c.conduct == leaves {
		at = len(text)
	}
	r.Go(func() {
		_, _ = l.Write(text[:at])
		if c.conduct == halts {
			_ = l.CloseWrite()
		}
	})
	pause := time.Duration(c.rand.IntN(100)) * time.Millisecond
	switch c.conduct {
	case breaksOff:
		r.Sleep(pause)
	case deaf:
		r.Sleep(time.Minute)
	case leaves:
		_, _ = io.CopyN(io.Discard, l.in, int64(c.rand.IntN(2000)))
	default:
		for _, x := range batch {
			if !r.answer(l, x) {
				break
			}
		}
		_, err := io.Copy(io.Discard, l.in) // until the proxy has had enough
		r.logf("client %d: the end: %v", c.id, err)
	}
	if c.rand.IntN(2) == 0 {
		l.Reset()
	}
}

// answer reads the response of an exchange. It is false when no further one is to come on the connection.
func (r *run) answer(l *line, x *exchange) (more bool) {
	for {
		res, err := http.ReadResponse(l.in, &http.Request{Method: x.method})
		if err != nil {
			r.logf("client: %d: %v", x.id, err)
			r.check(x.spoiled || x.chased || r.drained || r.stopped, "exchange %d: no response: %v", x.id, err)
			return false
		}
		if res.StatusCode < 200 {
			r.check(!x.http10 && (res.StatusCode == 100 && x.expects || res.StatusCode == 103), "exchange %d: %s", x.id, res.Status)
			x.continued = x.continued || res.StatusCode == 100
			continue
		}
		x.continued = true // or will never be
		body, err := io.ReadAll(res.Body)
		if err == nil && res.Close && l.failed != nil {
			err = l.failed // a reset is told once, and the writer has heard it
		}
		r.logf("client: %d: %s, %d bytes, %v", x.id, res.Status, len(body), err)
		r.statuses[res.StatusCode]++
		if res.StatusCode == http.StatusOK {
			r.judge(x, res, body, err)
		} else {
			r.excuse(x, res, err)
		}
		return err == nil && !res.Close
	}
}

// judge compares a response of an origin with what that has sent.
func (r *run) judge(x *exchange, res *http.Response, body []byte, err error) {
	want := content('r', x.id, x.size)
	if x.method == "HEAD" {
		want = nil
	}
	h := res.Header
	r.check(h.Get("X-Exchange") == strconv.Itoa(x.id), "exchange %d: the response is of %q", x.id, h.Get("X-Exchange"))
	r.check(h.Get("X-Generation") == h.Get("X-Seen"), "exchange %d: generations %q and %q", x.id, h.Get("X-Seen"), h.Get("X-Generation"))
	r.check(res.ContentLength < 0 || res.ContentLength == int64(x.size), "exchange %d: Content-Length %d of %d", x.id, res.ContentLength, x.size)
	r.check(!r.tooLarge(x) || x.suffered&(1<<early) != 0 || x.spoiled, "exchange %d: content above the limit has passed", x.id)
	r.check(x.attempts > 0, "exchange %d: a response without an origin", x.id)
	if err == nil {
		r.check(bytes.Equal(body, want), "exchange %d: %d bytes were passed off as the whole of %d", x.id, len(body), len(want))
		return
	}
	r.check(bytes.HasPrefix(want, body), "exchange %d: wrong content", x.id)
	broken := x.suffered&(1<<cut|1<<stall|1<<early) != 0
	r.check(broken || x.spoiled || x.chased && res.Close || r.stopped, "exchange %d: broken off for no reason after %d of %d bytes: %v", x.id, len(body), len(want), err)
}

// excuse looks for the reason of a response that the proxy has made itself.
func (r *run) excuse(x *exchange, res *http.Response, err error) {
	reason := false
	alone := !r.covered() || r.connections > 0 || len(r.reloads) > 0 || x.suffered != 0 // those that are down may have been asked last
	switch res.StatusCode {
	case 400, 408:
		reason = x.spoiled
	case 413:
		reason = r.tooLarge(x)
	case 502:
		reset := x.suffered&(1<<cut|1<<early|1<<garbage) != 0
		race := (x.method == "POST" || x.method == "PUT") && !r.sound // an idle connection has died, and the content can't be had twice
		reason = reset || race || r.has(refusing) && alone || r.stopped
	case 503:
		reason = r.connections > 0 && !r.sound
	case 504: // who waits for a free connection may get it too late to make one; an origin that answers early may not take the head
		reason = x.suffered&(1<<stall|1<<early) != 0 || r.has(dark) && alone || r.connections > 0 && !r.sound
	case 500:
		reason = r.stopped
	}
	r.check(reason || x.spoiled, "exchange %d: %s for no reason", x.id, res.Status)
	r.check(err == nil || x.spoiled || x.chased && res.Close || r.stopped, "exchange %d: %s is broken off: %v", x.id, res.Status, err)
}

// tooLarge reports whether the request of x must be refused.
func (r *run) tooLarge(x *exchange) bool { return r.contentMax > 0 && x.sent > r.contentMax }
