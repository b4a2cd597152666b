//go:build linux

package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// originCommand is the first argument of the process that is the origin.
const originCommand = "origin"

// Limits of the origin. It is for well-behaved proxies only.
const (
	originHeadMax    = 16 << 10
	originContentMax = 64 << 20
)

// An origin answers GET /N with N bytes, reads uploads to their end, and echoes WebSocket messages of up to 125 bytes at any path that a
// client upgrades.
type origin struct {
	poller  *poller
	answers map[string][]byte // whole responses by path
}

// runOrigin serves an address until the process is ended.
func runOrigin(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: bench origin ADDRESS")
	}
	o, err := newOrigin(args[0])
	if err != nil {
		return err
	}
	for {
		if err := o.poller.turn(-1, nil); err != nil {
			return err
		}
	}
}

// newOrigin listens on an address.
func newOrigin(address string) (*origin, error) {
	fd, err := listenSocket(address)
	if err != nil {
		return nil, err
	}
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	o := &origin{poller: p, answers: map[string][]byte{}}
	return o, p.add(fd, &originListener{origin: o, fd: fd})
}

// listenSocket opens a non-blocking listening socket.
func listenSocket(address string) (int, error) {
	listener, err := net.Listen("tcp4", address)
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return 0, err
	}
	defer file.Close()
	fd, err := duplicate(file)
	return fd, err
}

// duplicate returns a non-blocking descriptor of an open file that Go's own poller knows nothing of.
func duplicate(file *os.File) (int, error) {
	fd, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		return 0, err
	}
	return fd, syscall.SetNonblock(fd, true)
}

// An originListener accepts the proxies' connections.
type originListener struct {
	origin *origin
	fd     int
}

func (l *originListener) ready(p *poller) error {
	for {
		fd, _, err := syscall.Accept4(l.fd, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		switch {
		case err == syscall.EAGAIN:
			return nil
		case err == syscall.EINTR, err == syscall.ECONNABORTED:
			continue
		case err != nil:
			return fmt.Errorf("accept: %w", err)
		}
		c := &originConn{socket: socket{fd: fd}, origin: l.origin}
		if err := errors.Join(syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1), p.add(fd, c)); err != nil {
			return err
		}
	}
}

// An originConn is one connection of a proxy.
type originConn struct {
	socket
	origin  *origin
	held    []byte // an unfinished head or frame
	content int    // bytes of the request's content still to come
	echo    bool   // after an upgrade
	echoed  []byte // the memory of the frames in out
}

func (c *originConn) ready(p *poller) error {
	if done, err := c.flush(p); err != nil || !done {
		return err
	}
	b, err := c.read(p)
	if err != nil || b == nil {
		return err
	}
	c.echoed = c.echoed[:0]
	if err := takeAll(&c.held, b, c.take); err != nil {
		return err
	}
	_, err = c.flush(p)
	return err
}

// take reads one piece of what a client sends: content, a frame, or a head.
func (c *originConn) take(b []byte) (int, error) {
	switch {
	case c.content > 0:
		n := min(len(b), c.content)
		if c.content -= n; c.content == 0 {
			c.send(c.origin.answer("/2"))
		}
		return n, nil
	case c.echo:
		return c.takeFrame(b)
	}
	return c.takeHead(b)
}

// takeHead answers a request that has no content; of one with content it notes how much is to come.
func (c *originConn) takeHead(b []byte) (int, error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > originHeadMax {
			return 0, errors.New("head too large")
		}
		return 0, nil
	}
	h, err := parseOriginHead(b[:end])
	if err != nil {
		return 0, err
	}
	switch {
	case h.key != nil:
		c.echo = true
		c.send(acceptUpgrade(h.key))
	case h.content > 0:
		c.content = h.content
	default:
		c.send(c.origin.answer(string(h.path)))
	}
	return end + 4, nil
}

// send puts bytes behind those that are still to be written. A response that is alone is not copied.
func (c *originConn) send(b []byte) {
	if len(c.out) == 0 {
		c.out = b[:len(b):len(b)]
		return
	}
	c.out = append(c.out, b...)
}

// takeFrame echoes one masked frame of up to 125 bytes (RFC 6455, section 5.2).
func (c *originConn) takeFrame(b []byte) (int, error) {
	payload, size, err := parseFrame(b)
	if err != nil || size == 0 {
		return 0, err
	}
	mask := b[2:6]
	c.echoed = append(c.echoed, b[0], byte(len(payload)))
	for i, v := range payload {
		c.echoed = append(c.echoed, v^mask[i&3])
	}
	c.out = c.echoed
	return size, nil
}

// answer returns the whole response to GET path, where path is "/" and a number of bytes.
func (o *origin) answer(path string) []byte {
	if known, ok := o.answers[path]; ok {
		return known
	}
	status, size := "200 OK", 0
	if n, err := strconv.Atoi(path[min(1, len(path)):]); err == nil && n >= 0 && n <= originContentMax {
		size = n
	} else {
		status = "404 Not Found"
	}
	b := fmt.Appendf(nil, "HTTP/1.1 %s\r\nServer: origin\r\nDate: %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n",
		status, time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"), size)
	b = append(b, contentOf(size)...)
	if status == "200 OK" {
		o.answers[path] = b
	}
	return b
}

// contentOf is the content of a response of so many bytes. Its period is a prime number, so that a piece in the wrong place is noticed.
func contentOf(size int) []byte {
	const period = 251
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i % period)
	}
	return b
}

// An originHead is what the origin needs of a request's head.
type originHead struct {
	path    []byte
	content int
	key     []byte // Sec-WebSocket-Key; nil if the request is no upgrade
}

// parseOriginHead reads a head without its empty line.
func parseOriginHead(head []byte) (originHead, error) {
	var h originHead
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	_, target, _ := bytes.Cut(line, []byte(" "))
	h.path, _, _ = bytes.Cut(target, []byte(" "))
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch len(name) { // few lines pass this, so that most cost no comparison
		case len("Content-Length"):
			if bytes.EqualFold(name, []byte("Content-Length")) {
				n, err := strconv.Atoi(string(value))
				if err != nil || n < 0 {
					return h, fmt.Errorf("Content-Length %q", value)
				}
				h.content = n
			}
		case len("Sec-WebSocket-Key"):
			switch {
			case bytes.EqualFold(name, []byte("Sec-WebSocket-Key")):
				h.key = value
			case bytes.EqualFold(name, []byte("Transfer-Encoding")):
				return h, errors.New("the origin takes content by length only")
			}
		}
	}
	return h, nil
}

// acceptUpgrade is the answer to a WebSocket handshake (RFC 6455, section 4.2.2).
func acceptUpgrade(key []byte) []byte {
	sum := sha1.Sum(append(bytes.Clone(key), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	return fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
}
