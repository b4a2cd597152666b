package proxytest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A framing says how the content of a message ends (RFC 9112, section 6.3).
type framing uint8

const (
	none framing = iota
	byLength
	chunked
	untilClose
)

// A content is what is left to read of the message whose head was read last. It is a plain second reader, as strict as can be: the proxy's own code is not asked.
type content struct {
	kind  framing
	left  int  // bytes to come, of byLength; bytes of the chunk, of chunked
	inner bool // of chunked: a chunk has begun, and its end was not read
	last  bool // of chunked: the last chunk was read
	ended bool
}

func (c *content) open() bool { return c.kind != none && !c.ended }

// Head reads the head of a message, with the empty line that ends it.
func (p *Peer) Head() ([]byte, error) {
	for {
		if i := bytes.Index(p.in, []byte("\r\n\r\n")); i >= 0 {
			head := p.take(i + 4)
			var err error
			p.content, err = framingOf(head)
			return head, err
		}
		if err := p.fill(); err != nil {
			return p.take(len(p.in)), explain(err)
		}
	}
}

// framingOf reads how the content behind head ends.
func framingOf(head []byte) (content, error) {
	first, fields, _ := strings.Cut(string(head), "\r\n")
	c := content{left: -1}
	for line := range strings.SplitSeq(fields, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case strings.EqualFold(name, "Transfer-Encoding"):
			if value != "chunked" || c.kind == chunked {
				return c, fmt.Errorf("the transfer coding is %q", value)
			}
			c.kind = chunked
		case strings.EqualFold(name, "Content-Length"):
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 || c.left >= 0 {
				return c, fmt.Errorf("the length is %q", value)
			}
			c.left = n
		}
	}
	response := strings.HasPrefix(first, "HTTP/1.1 ")
	switch {
	case response && (first[9] == '1' || first[9:12] == "204" || first[9:12] == "304"):
		c.kind = none
	case c.kind == chunked && c.left >= 0:
		return c, errors.New("there are a length and a transfer coding")
	case c.kind == chunked:
		c.left = 0
	case c.left >= 0:
		c.kind, c.ended = byLength, c.left == 0
	case response:
		c.kind = untilClose
	}
	return c, nil
}

// Content reads n bytes of the content of the message whose head was read last, without the frames of chunks.
func (p *Peer) Content(n int) ([]byte, error) {
	var b []byte
	for len(b) < n {
		piece, err := p.decode(n - len(b))
		b = append(b, piece...)
		if err != nil {
			return b, err
		}
		if !p.content.open() && len(b) < n {
			return b, fmt.Errorf("the content has ended after %d bytes", len(b))
		}
	}
	return b, nil
}

// Body reads the rest of the message whose head was read last. If it is chunked, all that is left comes out as one chunk, since where chunks begin and end
// means nothing (RFC 9112, section 7.1), with the last chunk and the trailer section.
func (p *Peer) Body() ([]byte, error) {
	isChunked := p.content.kind == chunked
	var b []byte
	for p.content.open() && !p.content.last {
		piece, err := p.decode(-1)
		b = append(b, piece...)
		if err != nil {
			return b, err
		}
	}
	if !isChunked {
		return b, nil
	}
	if len(b) > 0 {
		b = append(fmt.Appendf(nil, "%x\r\n%s", len(b), b), "\r\n"...)
	}
	b = append(b, "0\r\n"...)
	for {
		line, err := p.line()
		b = append(append(b, line...), "\r\n"...)
		if err != nil {
			return b, err
		}
		if len(line) == 0 {
			p.content.ended = true
			return b, nil
		}
	}
}

// Message reads a whole message; its body is as Body returns it.
func (p *Peer) Message() ([]byte, error) {
	head, err := p.Head()
	if err != nil {
		return head, err
	}
	body, err := p.Body()
	return append(head[:len(head):len(head)], body...), err
}

// decode reads a piece of content of at most n bytes; -1 is no bound. A piece may be empty. Of a chunked content, the trailer section stays unread.
func (p *Peer) decode(n int) ([]byte, error) {
	c := &p.content
	switch c.kind {
	case chunked:
		if c.left == 0 && !c.last {
			if err := p.chunkStart(); err != nil || c.last {
				return nil, err
			}
		} else if c.last {
			c.ended = true
			return nil, nil
		}
	case untilClose:
		if len(p.in) == 0 && p.fill() != nil {
			if p.err == io.EOF {
				c.ended = true
				return nil, nil
			}
			return nil, explain(p.err)
		}
		return p.take(bound(n, len(p.in))), nil
	}
	if len(p.in) == 0 {
		if err := p.fill(); err != nil {
			return nil, explain(err)
		}
	}
	piece := p.take(bound(n, min(len(p.in), c.left)))
	c.left -= len(piece)
	c.ended = c.kind == byLength && c.left == 0
	return piece, nil
}

func bound(n, most int) int {
	if n < 0 {
		return most
	}
	return min(n, most)
}

// chunkStart reads the end of the chunk before and the line before the next one.
func (p *Peer) chunkStart() error {
	c := &p.content
	if c.inner {
		if line, err := p.line(); err != nil || len(line) > 0 {
			return fmt.Errorf("the end of a chunk is %q (%v)", line, err)
		}
		c.inner = false
	}
	line, err := p.line()
	if err != nil {
		return err
	}
	size, err := strconv.ParseUint(string(line), 16, 31)
	if err != nil {
		return fmt.Errorf("the size of a chunk is %q", line)
	}
	c.left, c.inner, c.last = int(size), true, size == 0
	return nil
}

// line reads a line and returns it without its end.
func (p *Peer) line() ([]byte, error) {
	for {
		if i := bytes.Index(p.in, []byte("\r\n")); i >= 0 {
			line := p.take(i + 2)
			return line[:i], nil
		}
		if err := p.fill(); err != nil {
			return p.take(len(p.in)), explain(err)
		}
	}
}
