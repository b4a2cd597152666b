package sim

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sluice/internal/loop/looptest"
)

// serveOrigins opens the endpoints that are up.
func (r *run) serveOrigins() {
	for i, s := range r.origins {
		switch s {
		case dark:
			r.Dark(address(i), true)
		case up:
			ln := r.Serve(address(i))
			r.listeners = append(r.listeners, ln)
			r.Go(func() { r.acceptAll(ln) })
		}
	}
}

func (r *run) acceptAll(ln *looptest.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		r.Go(func() {
			defer c.Close()
			in := bufio.NewReader(c)
			for r.answerNext(c, in) {
			}
		})
	}
}

// answerNext serves one request of the proxy's. It is false when the connection is over.
func (r *run) answerNext(c *looptest.Conn, in *bufio.Reader) bool {
	req, err := http.ReadRequest(in)
	if err != nil {
		if err != io.EOF && err != io.ErrUnexpectedEOF && !errors.Is(err, syscall.ECONNRESET) {
			r.failf("an origin got what is no request: %v", err)
		}
		return false
	}
	id, err := strconv.Atoi(strings.TrimPrefix(req.URL.Path, "/"))
	if err != nil || id >= len(r.exchanges) {
		r.failf("an origin got a request for %s", req.URL)
		return false
	}
	x := r.exchanges[id]
	x.attempts++
	r.logf("origin: %s %d, attempt %d, generation %s", req.Method, id, x.attempts, req.Header.Get("X-Generation"))
	if req.Method != x.method || req.Host != "a.example" || req.Header.Get("X-Exchange") != strconv.Itoa(id) {
		r.failf("exchange %d: the origin got %s %s %v", id, req.Method, req.Host, req.Header)
	}
	if x.attempts > 1 && x.method == "POST" {
		r.failf("exchange %d: a POST was sent again", id)
	}
	if x.attempts <= x.faults {
		x.suffered |= 1 << x.fault
		if x.fault == early || x.fault == garbage {
			return r.misbehave(c, x, req)
		}
	}
	return r.receive(c, x, req) && r.respond(c, x, req)
}

// misbehave answers early, or nonsense, and closes.
func (r *run) misbehave(c *looptest.Conn, x *exchange, req *http.Request) bool {
	text := []byte("SSH-2.0-OpenSSH_9.9\r\n")
	if x.fault == early {
		head, body := x.response(req)
		text = append(head, body...)
	}
	_, _ = c.Write(text)
	return false
}

// receive reads the content of a request and compares it.
func (r *run) receive(c *looptest.Conn, x *exchange, req *http.Request) bool {
	if req.Header.Get("Expect") != "" && !x.mute {
		_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	got, err := io.ReadAll(req.Body)
	want := content('q', x.id, x.sent)
	if err == nil && !bytes.Equal(got, want) || !bytes.HasPrefix(want, got) {
		r.failf("exchange %d: the origin got %d of %d bytes, equal so far: %v", x.id, len(got), len(want), bytes.HasPrefix(want, got))
	}
	return err == nil
}

// response is what the origin sends.
func (x *exchange) response(req *http.Request) (head, body []byte) {
	body = content('r', x.id, x.size)
	out := fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Exchange: %d\r\nX-Seen: %s\r\n", x.id, req.Header.Get("X-Generation"))
	switch x.framing {
	case byLength:
		out += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	case byChunks:
		out += "Transfer-Encoding: chunked\r\n"
		body = chunks(body)
	case byClose:
		out += "Connection: close\r\n"
	}
	if x.method == "HEAD" {
		body = nil
	}
	return []byte(out + "\r\n"), body
}

// chunks codes content (RFC 9112, section 7.1), in chunks of all sizes.
func chunks(b []byte) (out []byte) {
	for n := 1; len(b) > 0; n = n*3 + 1 {
		n = min(n, len(b))
		out = fmt.Appendf(out, "%x\r\n%s\r\n", n, b[:n])
		b = b[n:]
	}
	return append(out, "0\r\n\r\n"...)
}

// respond sends the response, or a part of it. It is false when the connection is over.
func (r *run) respond(c *looptest.Conn, x *exchange, req *http.Request) bool {
	own := rand.New(rand.NewPCG(r.seed, uint64(1000+x.id)))
	head, body := x.response(req)
	text := append(head, body...)
	end := len(text)
	faulty := x.attempts <= x.faults
	if faulty {
		end = own.IntN(end)
		if own.IntN(4) == 0 {
			end = 0
		}
	}
	if x.hints {
		_, _ = fmt.Fprintf(c, "HTTP/1.1 103 Early Hints\r\nX-Exchange: %d\r\n\r\n", x.id)
	}
	middle := own.IntN(end + 1)
	for _, piece := range [][]byte{text[:middle], text[middle:end]} {
		if x.delay > 0 {
			r.Sleep(x.delay + time.Duration(own.IntN(1000)))
		}
		if _, err := c.Write(piece); err != nil {
			return false
		}
	}
	switch {
	case faulty && x.fault == stall:
		_, _ = io.Copy(io.Discard, c) // until the proxy has had enough
		return false
	case faulty && (x.reset || x.framing == byClose): // else it would be whole
		c.Reset()
		return false
	}
	return !faulty && !x.closes && x.framing != byClose
}
