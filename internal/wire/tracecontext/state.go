package tracecontext

import (
	"bytes"

	"sluice/internal/exchange"
)

// Limits of a tracestate (section 3.3.1): one with more members is dropped as a whole; of one that is longer, members are.
const (
	StateBytesMax   = 512 // what every system hands on at least, and we at most
	membersMax      = 32
	longMemberBytes = 128 // members that are longer go first
	keyBytesMax     = 256
	valueBytesMax   = 256
)

// A state is the members of a tracestate, in order.
type state struct {
	members [membersMax][]byte
	n       int
	bytes   int // when written, with commas
}

// AppendState appends the tracestate that the lines of f make, as one value within the limits. ok says that it is well-formed; where it is not, or has no members,
// nothing is appended.
func AppendState(dst []byte, f *exchange.Fields) (out []byte, ok bool) {
	var s state
	lines := f.Lines()
	for i := range lines {
		if lines[i].ID == exchange.FieldTracestate && !s.add(lines[i].Value) {
			return dst, false
		}
	}
	s.shorten()
	for i, m := range s.members[:s.n] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, m...)
	}
	return dst, true
}

// add adds the members of one line, and reports whether they are well-formed. Members may be empty.
func (s *state) add(line []byte) bool {
	for len(line) > 0 {
		var member []byte
		member, line = exchange.NextToken(line)
		if len(member) == 0 {
			continue
		}
		key, value, found := bytes.Cut(member, equals)
		if !found || !isKey(key) || !isValue(value) || s.has(key) || s.n == membersMax {
			return false
		}
		s.members[s.n] = member
		s.n++
		s.bytes += len(member) + 1
	}
	return true
}

var equals = []byte{'='}

// has reports whether there is a member with that key: each key may come once.
func (s *state) has(key []byte) bool {
	for _, m := range s.members[:s.n] {
		if len(m) > len(key) && m[len(key)] == '=' && bytes.Equal(m[:len(key)], key) {
			return true
		}
	}
	return false
}

// shorten drops members until the rest is short enough: long ones first, then those at the end, which are the oldest (section 3.3.1.5).
func (s *state) shorten() {
	for i := s.n - 1; i >= 0 && s.bytes-1 > StateBytesMax; i-- {
		if len(s.members[i]) > longMemberBytes {
			s.drop(i)
		}
	}
	for s.bytes-1 > StateBytesMax {
		s.drop(s.n - 1)
	}
}

func (s *state) drop(i int) {
	s.bytes -= len(s.members[i]) + 1
	copy(s.members[i:s.n], s.members[i+1:s.n])
	s.n--
}

// isKey reports whether b is a key by level 2, which takes all keys of level 1, too.
func isKey(b []byte) bool {
	if len(b) == 0 || len(b) > keyBytesMax || !isLowerOrDigit(b[0]) {
		return false
	}
	for _, c := range b {
		if !isLowerOrDigit(c) && c != '_' && c != '-' && c != '*' && c != '/' && c != '@' {
			return false
		}
	}
	return true
}

func isLowerOrDigit(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// isValue reports whether b is a value: printable ASCII without commas and equals signs. There is no white space at its end, since members were trimmed.
func isValue(b []byte) bool {
	if len(b) == 0 || len(b) > valueBytesMax {
		return false
	}
	for _, c := range b {
		if c < ' ' || c > '~' || c == '=' || c == ',' {
			return false
		}
	}
	return true
}
