package h1

import (
	"bytes"

	"sluice/internal/exchange"
)

// Inside this package a position of 0 and no error mean that more bytes are needed: no line ends at 0.

// HeadEnd returns the offset behind the head at the start of b, 0 if its end is not there yet. from is how many bytes an earlier call has looked at in vain
// (0 at first), so that a head that comes byte by byte costs no more than its length. It also returns where a fault ends the wait, such as a LF without
// CR: it says when to parse, not that the head is valid.
func HeadEnd(b []byte, from int) int {
	lead := 0
	for lead+1 < len(b) && b[lead] == '\r' && b[lead+1] == '\n' {
		if lead += 2; lead > 2*emptyLinesMax {
			return lead
		}
	}
	return sectionEnd(b, max(lead, from-2))
}

// sectionEnd returns the offset behind the first empty line, or behind a LF without CR, that ends after b[i:i+2]; 0 if there is none.
func sectionEnd(b []byte, i int) int {
	for i < len(b) {
		k := bytes.IndexByte(b[i:], '\n')
		if k < 0 {
			return 0
		}
		i += k + 1
		if i < 2 || b[i-2] != '\r' {
			return i
		}
		if i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n' {
			return i + 2
		}
	}
	return 0
}

// parseFields adds the field lines from b[i] on to f, until the empty line, and returns the offset behind that. If repair is true, which is for responses
// only, white space before the colon is left out and folds become spaces in b (RFC 9112, sections 5.1 and 5.2).
func parseFields(b []byte, i int, lim *Limits, f *exchange.Fields, repair bool) (int, *SyntaxError) {
	for i < len(b) {
		if b[i] == '\r' {
			return crlf(b, i)
		}
		if f.Len() >= lim.Fields {
			return 0, errFields
		}
		next, err := parseField(b, i, lim, f, repair)
		if next == 0 || err != nil {
			return 0, err
		}
		i = next
	}
	return 0, nil
}

// parseField adds the field line at b[i] to f and returns the offset behind it.
func parseField(b []byte, i int, lim *Limits, f *exchange.Fields, repair bool) (int, *SyntaxError) {
	end := tokenEnd(b, i)
	name := b[i:end]
	if end > i && repair {
		end = spaceEnd(b, end)
	}
	if end == len(b) {
		return 0, nil
	}
	if b[end] != ':' || len(name) == 0 {
		return 0, nameFault(b, i, end)
	}
	start := spaceEnd(b, end+1)
	end = controlIndex(b, start, ' ')
	next := end + 2
	if next >= len(b) || b[end] != '\r' || b[end+1] != '\n' || b[next] == ' ' || b[next] == '\t' {
		// Not the usual line with another one behind it.
		var err *SyntaxError
		if end, next, err = valueEnd(b, end, repair); next == 0 || err != nil {
			return 0, err
		}
	}
	value := b[start:end]
	if len(value) > 0 && (value[len(value)-1] <= ' ' || value[0] <= ' ') {
		value = exchange.TrimSpace(value)
	}
	if len(value) > lim.FieldBytes || len(name) > lim.FieldBytes {
		return 0, errFieldBytes
	}
	f.AddNamed(name, value)
	return next, nil
}

// valueEnd returns where the value ends that is known to go on until b[i], and the offset behind its line. White space at the end is part of it.
func valueEnd(b []byte, i int, repair bool) (end, next int, err *SyntaxError) {
	for {
		end = textEnd(b, i)
		if end == len(b) {
			return 0, 0, nil
		}
		if b[end] != '\r' {
			if b[end] == '\n' {
				return 0, 0, errBareLF
			}
			return 0, 0, errValue
		}
		if next, err = crlf(b, end); next == 0 || err != nil || !repair {
			return end, next, err
		}
		if next == len(b) {
			return 0, 0, nil // whether a fold follows is not known yet
		}
		if b[next] != ' ' && b[next] != '\t' {
			return end, next, nil
		}
		b[end], b[end+1] = ' ', ' '
		i = next
	}
}

// nameFault says why there is no name and colon in the line from b[start] on, where the colon was expected at b[i].
func nameFault(b []byte, start, i int) *SyntaxError {
	switch b[i] {
	case ' ', '\t':
		if i == start {
			return errFold
		}
		return errSpaceColon
	case '\r', '\n':
		if i == start {
			return errBareLF
		}
		return errNoColon
	}
	return errName
}

// crlf returns the offset behind the CRLF whose CR is b[i].
func crlf(b []byte, i int) (int, *SyntaxError) {
	if i+1 == len(b) {
		return 0, nil
	}
	if b[i+1] != '\n' {
		return 0, errBareCR
	}
	return i + 2, nil
}

// spaceEnd returns the index of the first byte from i on that is neither SP nor HTAB.
func spaceEnd(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	return i
}
