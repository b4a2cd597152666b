package exchange

import (
	"io"
	"time"

	"sluice/internal/loop"
)

// Content is what a message carries (RFC 9110, section 6.4). It is read once, by one task, and may wait.
//
// Content is pulled in borrowed pieces instead of being copied into the reader's buffer: who reads from a socket owns the buffer, and who writes to
// one needs none. A filter that changes content is a Content around another one.
type Content interface {
	// Next returns the next bytes, never empty, borrowed until the next call of any method. At the end it returns io.EOF; an *Error says which side failed.
	Next() ([]byte, error)
	// Length returns how many bytes Next will return in total, or -1 if that is known only at the end.
	Length() int64
	// Close gives up what was not read. It may be called at any time, more than once, by the task that reads.
	Close()
}

// A Buffered is Content that can tell what it has at hand.
type Buffered interface {
	Content
	// AtHand returns the bytes that the next call of Next would return without waiting, and whether they are the last ones. It changes nothing.
	AtHand() (b []byte, last bool)
}

// SpliceBytes is the least rest of a Spliced content that is worth moving within the kernel: below it, two copies cost less than the pipe. make bench, workloads 128k,
// 10m and upload.
const SpliceBytes = 256 << 10

// A Spliced is Content whose rest may be moved by the kernel, from the connection that it comes from to another one.
type Spliced interface {
	Content
	// Rest returns the connection whose next n bytes are the rest of the content, with nothing of it at hand, and sets the deadline of the next wait on it. It is
	// nil if the rest can't be moved that way.
	Rest() (from loop.Conn, n int64)
	// Moved tells that so many bytes of the rest were moved, none if they were waited for, and the read error that came, which it returns as Next would.
	Moved(n int64, err error) error
}

// ContentLimits bound what a client may send as content. The zero value allows nothing.
type ContentLimits struct {
	Bytes        int64         // in all; negative is no bound
	MinRate      int64         // bytes per second that must come; 0 is no bound
	MinRateAfter time.Duration // how long a client may be slower
}

// A Limited is Content that keeps to limits: beyond them Next fails with an *Error.
type Limited interface {
	Content
	Limit(l ContentLimits)
}

// ContentTooLarge is the error of content above a limit (RFC 9110, section 15.5.14).
func ContentTooLarge() *Error {
	return &Error{Source: Downstream, Kind: KindHTTPRequestDenied, Status: 413, Limit: "limits.request_body", Op: "read request content: above the limit"}
}

// Bytes is Content that is already in memory.
type Bytes struct {
	rest   []byte
	length int64
}

// NewBytes returns content that is b, borrowed as long as the content is used.
func NewBytes(b []byte) *Bytes { return &Bytes{rest: b, length: int64(len(b))} }

// Next implements Content.
func (c *Bytes) Next() ([]byte, error) {
	if len(c.rest) == 0 {
		return nil, io.EOF
	}
	b := c.rest
	c.rest = nil
	return b, nil
}

// AtHand implements Buffered.
func (c *Bytes) AtHand() ([]byte, bool) { return c.rest, true }

// Length implements Content.
func (c *Bytes) Length() int64 { return c.length }

// Close implements Content.
func (c *Bytes) Close() { c.rest = nil }
