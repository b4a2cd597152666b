package exchange

import "bytes"

// A Field is one field line (RFC 9110, section 5.2). Name and Value are borrowed.
type Field struct {
	ID    Name   // the name as a small integer; FieldOther if it is not one of the known ones
	Name  []byte // as it will be written on the wire: the registered spelling for known names, else as received
	Value []byte // without white space around it
}

// Fields is a section of field lines in the order of the wire. The zero value is empty and ready. It does not copy what is put in.
type Fields struct {
	lines []Field
	known [2]uint64 // bit ID is set if a line with that ID is there
}

// Len returns the number of field lines.
func (f *Fields) Len() int { return len(f.lines) }

// Lines returns the field lines in order. The slice is valid until f changes; callers may change a Value in it, and nothing else.
func (f *Fields) Lines() []Field { return f.lines }

// Reset empties f and keeps its memory.
func (f *Fields) Reset() {
	f.lines = f.lines[:0]
	f.known = [2]uint64{}
}

// Has reports whether there is a field line with that name. It costs a bit test.
func (f *Fields) Has(id Name) bool { return f.known[id>>6]&(1<<(id&63)) != 0 }

// Get returns the value of the first line with that name, nil if there is none.
func (f *Fields) Get(id Name) []byte {
	if !f.Has(id) {
		return nil
	}
	for i := range f.lines {
		if f.lines[i].ID == id {
			return f.lines[i].Value
		}
	}
	return nil
}

// Add appends a line with a known name.
func (f *Fields) Add(id Name, value []byte) {
	l := f.grow()
	l.ID, l.Name, l.Value = id, spellings[id], value
	f.known[id>>6] |= 1 << (id & 63)
}

// AddNamed appends a line with any name; a known one gets its ID and its registered spelling. The caller has checked name and value.
func (f *Fields) AddNamed(name, value []byte) {
	if id := LookupName(name); id != FieldOther {
		f.Add(id, value)
		return
	}
	l := f.grow()
	l.ID, l.Name, l.Value = FieldOther, name, value
}

// grow appends a line and returns it, to be filled in place.
func (f *Fields) grow() *Field {
	n := len(f.lines)
	if n < cap(f.lines) {
		f.lines = f.lines[:n+1]
	} else {
		f.lines = append(f.lines, Field{})
	}
	return &f.lines[n]
}

// Set makes value the only line with that name: in the place of the first one, or at the end.
func (f *Fields) Set(id Name, value []byte) {
	if !f.Has(id) {
		f.Add(id, value)
		return
	}
	for i := range f.lines {
		if f.lines[i].ID == id {
			f.lines[i].Value = value
			f.deleteFrom(i+1, func(l *Field) bool { return l.ID == id })
			return
		}
	}
}

// SetNamed is Set for any name.
func (f *Fields) SetNamed(name, value []byte) {
	if id := LookupName(name); id != FieldOther {
		f.Set(id, value)
		return
	}
	for i := range f.lines {
		if isNamed(&f.lines[i], name) {
			f.lines[i].Value = value
			f.deleteFrom(i+1, func(l *Field) bool { return isNamed(l, name) })
			return
		}
	}
	f.lines = append(f.lines, Field{FieldOther, name, value})
}

// Del removes all lines with that name.
func (f *Fields) Del(id Name) {
	if f.Has(id) {
		f.deleteFrom(0, func(l *Field) bool { return l.ID == id })
		f.known[id>>6] &^= 1 << (id & 63)
	}
}

// DelNamed removes all lines with that name, in any case.
func (f *Fields) DelNamed(name []byte) {
	if id := LookupName(name); id != FieldOther {
		f.Del(id)
		return
	}
	f.deleteFrom(0, func(l *Field) bool { return isNamed(l, name) })
}

// DelFunc removes all lines for which drop says so. drop must not change f.
func (f *Fields) DelFunc(drop func(*Field) bool) {
	f.deleteFrom(0, drop)
	f.known = [2]uint64{}
	for i := range f.lines {
		if id := f.lines[i].ID; id != FieldOther {
			f.known[id>>6] |= 1 << (id & 63)
		}
	}
}

// GetNamed returns the value of the first line with that name, in any case; nil if there is none.
func (f *Fields) GetNamed(name []byte) []byte {
	if id := LookupName(name); id != FieldOther {
		return f.Get(id)
	}
	for i := range f.lines {
		if isNamed(&f.lines[i], name) {
			return f.lines[i].Value
		}
	}
	return nil
}

// Count returns the number of lines with that name.
func (f *Fields) Count(id Name) int {
	n := 0
	if f.Has(id) {
		for i := range f.lines {
			if f.lines[i].ID == id {
				n++
			}
		}
	}
	return n
}

// HasToken reports whether a comma-separated list of tokens in the lines with that name has token, in any case (RFC 9110, section 5.6.1).
func (f *Fields) HasToken(id Name, token string) bool {
	if !f.Has(id) {
		return false
	}
	for i := range f.lines {
		if f.lines[i].ID == id && ListHasToken(f.lines[i].Value, token) {
			return true
		}
	}
	return false
}

// ListHasToken reports whether list, a comma-separated list of tokens, has token, in any case.
func ListHasToken(list []byte, token string) bool {
	for len(list) > 0 {
		var item []byte
		item, list = NextToken(list)
		if EqualFold(item, token) {
			return true
		}
	}
	return false
}

// NextToken returns the first item of a comma-separated list, without white space, and the rest of the list. Items may be empty (RFC 9110, section 5.6.1.2).
func NextToken(list []byte) (item, rest []byte) {
	item, rest, _ = bytes.Cut(list, comma)
	return TrimSpace(item), rest
}

var comma = []byte{','}

// TrimSpace returns b without SP and HTAB at its ends (OWS; RFC 9110, section 5.6.3).
func TrimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// EqualFold reports whether b equals s, ignoring the case of ASCII letters and nothing else.
func EqualFold[T []byte | string](b T, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range len(s) {
		if b[i] != s[i] && lower(b[i]) != lower(s[i]) {
			return false
		}
	}
	return true
}

func isNamed(l *Field, name []byte) bool {
	if l.ID != FieldOther || len(l.Name) != len(name) {
		return false
	}
	for i, c := range name {
		if lower(l.Name[i]) != lower(c) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// deleteFrom removes the lines from index i on for which drop says so; order stays.
func (f *Fields) deleteFrom(i int, drop func(*Field) bool) {
	for i < len(f.lines) && !drop(&f.lines[i]) {
		i++ // nothing moves until the first one goes
	}
	if i == len(f.lines) {
		return
	}
	kept := f.lines[:i]
	for i++; i < len(f.lines); i++ { // lines[i] itself goes
		if !drop(&f.lines[i]) {
			kept = append(kept, f.lines[i])
		}
	}
	f.lines = kept
}
