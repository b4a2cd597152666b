package h1

import "sluice/internal/exchange"

// Chunks reads a chunked body (RFC 9112, section 7.1), from whatever pieces its bytes come in. The zero value needs a Reset.
type Chunks struct {
	lim      *Limits
	trailers *exchange.Fields
	repair   bool
	state    chunkState
	digits   int    // of the chunk-size read so far
	left     int64  // the chunk-size read so far, then the bytes of data still to come
	extended int    // bytes of chunk extensions that data has not made up for
	section  []byte // the trailer section as it came; trailers point into it
}

// chunkState is what the next byte is taken for.
type chunkState uint8

const (
	chunkSize         chunkState = iota // a digit, or what follows the size
	chunkSizeSpace                      // white space behind size, extension name or value, or what follows it
	chunkExtName0                       // the first byte of an extension's name, or white space before it
	chunkExtName                        // the rest of the name, or what follows it
	chunkExtEqual                       // white space behind the name, or what follows it
	chunkExtValue0                      // the first byte of the value, or white space before it
	chunkExtValue                       // the rest of a value that is a token, or what follows it
	chunkExtQuoted                      // the inside of a value that is a quoted string
	chunkExtPair                        // the byte behind a backslash in it
	chunkExtQuotedEnd                   // what follows a quoted string
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	chunkTrailers
	chunkDone
)

// sectionKeptBytes is the largest buffer for trailers that Reset keeps.
const sectionKeptBytes = 1 << 10

// Reset makes c ready for another body. Its trailers will be added to f, where they are valid until the next Reset. repair is true for a response: its
// trailer lines are repaired like its field lines.
func (c *Chunks) Reset(lim *Limits, f *exchange.Fields, repair bool) {
	section := c.section[:0]
	if cap(section) > sectionKeptBytes {
		section = nil
	}
	*c = Chunks{lim: lim, trailers: f, repair: repair, section: section}
}

// Next takes bytes from b, which continues where the n of the call before ended. data, if not empty, is the next piece of content, within b[:n]. If it is empty
// and done is false, all of b was taken and more is needed. done says that the body has ended, with the trailers complete; b[n:] is not part of it.
// After an error nothing further can be read.
func (c *Chunks) Next(b []byte) (data []byte, n int, done bool, err *SyntaxError) {
	for n < len(b) && c.state != chunkDone {
		switch c.state {
		case chunkData:
			size := int(min(c.left, int64(len(b)-n)))
			c.take(size)
			return b[n : n+size], n + size, false, nil
		case chunkTrailers:
			taken, err := c.trailerSection(b[n:])
			if err != nil {
				return nil, n, false, err
			}
			n += taken
		default:
			if err := c.step(b[n]); err != nil {
				return nil, n, false, err
			}
			n++
		}
	}
	return nil, n, c.state == chunkDone, nil
}

// take counts data of the chunk. It makes up for as many bytes of extensions.
func (c *Chunks) take(size int) {
	c.left -= int64(size)
	c.extended = max(0, c.extended-size)
	if c.left == 0 {
		c.state = chunkDataCR
	}
}

// step takes one byte that is neither data nor trailer.
func (c *Chunks) step(b byte) *SyntaxError {
	switch c.state {
	case chunkSize:
		return c.sizeByte(b)
	case chunkSizeLF:
		if b != '\n' {
			return errBareCR
		}
		c.digits = 0
		if c.state = chunkData; c.left == 0 {
			c.state = chunkTrailers
		}
	case chunkDataCR:
		if b != '\r' {
			return errChunkEnd
		}
		c.state = chunkDataLF
	case chunkDataLF:
		if b != '\n' {
			return errChunkEnd
		}
		c.state = chunkSize
	default:
		if c.extended++; c.extended > c.lim.ExtensionBytes {
			return errChunkExtBytes
		}
		return c.extensionByte(b)
	}
	return nil
}

// sizeByte takes a digit of the chunk-size, or the byte behind it.
func (c *Chunks) sizeByte(b byte) *SyntaxError {
	digit := int64(hexValue[b])
	if digit < 0 {
		if c.digits == 0 {
			return errChunkSize
		}
		return c.sizeEnd(b, errChunkSize)
	}
	if c.digits++; c.digits > sizeDigitsMax || c.left > (1<<63-1)>>4 {
		return errChunkSize
	}
	c.left = c.left<<4 | digit
	return nil
}

// sizeEnd takes the byte behind the chunk-size or behind a whole extension.
func (c *Chunks) sizeEnd(b byte, otherwise *SyntaxError) *SyntaxError {
	switch b {
	case '\r':
		c.state = chunkSizeLF
	case ';':
		c.state = chunkExtName0
	case ' ', '\t':
		// Bad white space, which recipients must take, before a ";" and nowhere else (RFC 9110, section 5.6.3).
		c.state = chunkSizeSpace
	default:
		return otherwise
	}
	return nil
}

// extensionByte takes a byte of the chunk extensions, which are checked and dropped (RFC 9112, section 7.1.1).
func (c *Chunks) extensionByte(b byte) *SyntaxError {
	space := b == ' ' || b == '\t'
	switch c.state {
	case chunkSizeSpace:
		switch {
		case b == ';':
			c.state = chunkExtName0
		case !space:
			return errChunkExt
		}
	case chunkExtName0:
		switch {
		case isToken[b]:
			c.state = chunkExtName
		case !space:
			return errChunkExt
		}
	case chunkExtName:
		switch {
		case isToken[b]:
		case space:
			c.state = chunkExtEqual
		case b == '=':
			c.state = chunkExtValue0
		default:
			return c.sizeEnd(b, errChunkExt)
		}
	case chunkExtEqual:
		switch {
		case space:
		case b == '=':
			c.state = chunkExtValue0
		case b == ';':
			c.state = chunkExtName0
		default:
			return errChunkExt
		}
	default:
		return c.extensionValueByte(b, space)
	}
	return nil
}

// extensionValueByte takes a byte of the value of a chunk extension: a token or a quoted string (RFC 9110, section 5.6.4).
func (c *Chunks) extensionValueByte(b byte, space bool) *SyntaxError {
	switch c.state {
	case chunkExtValue0:
		switch {
		case isToken[b]:
			c.state = chunkExtValue
		case b == '"':
			c.state = chunkExtQuoted
		case !space:
			return errChunkExt
		}
	case chunkExtValue:
		if !isToken[b] {
			return c.sizeEnd(b, errChunkExt)
		}
	case chunkExtQuoted, chunkExtPair:
		switch {
		case b < ' ' && b != '\t' || b == 0x7F:
			return errChunkExt
		case c.state == chunkExtPair:
			c.state = chunkExtQuoted
		case b == '\\':
			c.state = chunkExtPair
		case b == '"':
			c.state = chunkExtQuotedEnd
		}
	case chunkExtQuotedEnd:
		return c.sizeEnd(b, errChunkExt)
	}
	return nil
}
