package accesslog

import (
	"bytes"

	"sluice/internal/exchange"
)

// redacted stands in the place of a secret.
const redacted = "REDACTED"

// attend marks the bytes at which a scan has something to decide. Percent-encoded ones count as what they stand for, however often they were encoded: a
// URL in a query value brings its own query along.
var attend = fillAttend()

func fillAttend() (t [256]bool) {
	for _, c := range []byte("%=:&;?#,{/\"'+ ") {
		t[c] = true
	}
	return t
}

// A scan goes once over a part of a URL and copies it to a log line without the secrets in it:
// values of sensitive names (query, path parameters, JSON in a query), user information (RFC 3986, section 3.2.1), values with the shape of a secret.
type scan struct {
	hide nameSet
	as   *escaping
	src  []byte
	dst  []byte
	end  int  // dst may be so long
	cut  bool // not all fitted in

	out     int  // src is dealt with up to here
	word    int  // the present word, name or value, began here
	segment int  // the present path segment began here
	quoted  int  // the word before the last quotation mark began here
	slash   int  // the last slash ended here
	query   bool // past the first "?"
	free    bool // src is free text: what follows "password:" or "Bearer" is hidden as in a query
}

// appendURL appends src, a URL or a part of one, in at most about bytesMax bytes. query says that it begins behind the "?".
func (set nameSet) appendURL(dst, src []byte, query bool, bytesMax int, as *escaping) []byte {
	if !query && isCalm(src) {
		return appendText(dst, src, bytesMax, as)
	}
	s := scan{hide: set, as: as, src: src, dst: dst, end: len(dst) + bytesMax, slash: -1, query: query}
	return s.run()
}

// appendFree is appendURL for free text.
func (set nameSet) appendFree(dst, src []byte, bytesMax int, as *escaping) []byte {
	s := scan{hide: set, as: as, src: src, dst: dst, end: len(dst) + bytesMax, slash: -1, free: true}
	return s.run()
}

// run copies src to its end.
func (s *scan) run() []byte {
	src := s.src
	for i := 0; i < len(src) && !s.cut; {
		c, width, depth := src[i], 1, 0
		if !attend[c] {
			i++
			continue
		}
		if c == '%' {
			c, width, depth = decode(src, i)
		}
		i = s.step(i, c, i+width, depth)
	}
	s.endWord(len(src))
	s.emit(len(src))
	if s.cut {
		return append(s.dst, cutMark...)
	}
	return s.dst
}

// isCalm reports whether there is nothing in a path that could be a secret: only slashes between short segments of plain characters. Most paths are so.
func isCalm(path []byte) bool {
	segment := 0
	for i, c := range path {
		if attend[c] {
			if c != '/' || i == segment && i > 0 {
				return false
			}
			segment = i + 1
		} else if i-segment >= tokenBytesMin {
			return false
		}
	}
	return true
}

// step deals with the character c at i, encoded depth times, and returns where to go on: at next, or behind a secret.
func (s *scan) step(i int, c byte, next, depth int) int {
	switch c {
	case '=':
		if s.hide.isSecret(s.src[s.word:i]) {
			return s.hideValue(next, depth)
		}
		s.endWord(i)
		s.begin(next)
	case ':':
		if s.word == i && s.hide.isSecret(s.src[s.quoted:i]) || s.free && s.hide.isSecret(s.src[s.word:i]) { // "password":
			return s.hideValue(next, depth)
		}
		s.endWord(i)
		s.begin(next)
	case '"', '\'':
		s.endWord(i)
		word := s.word
		s.begin(next)
		s.quoted = word
	case ' ', '+':
		if (s.query || s.free) && isScheme(s.src[s.word:i]) {
			return s.hideValue(next, depth)
		}
		if c == ' ' {
			s.endWord(i)
			s.begin(next)
		}
	case '&', ';', '?', '#', ',', '{':
		s.endWord(i)
		s.begin(next)
		s.query = s.query || c == '?' || c == '#'
	case '/':
		return s.stepSlash(i, next)
	}
	return next
}

// stepSlash ends a path segment. After a second slash there may be user information.
func (s *scan) stepSlash(i, next int) int {
	second := s.slash == i
	s.slash = next
	if rest := s.src[next:]; second && (bytes.IndexByte(rest, '@') >= 0 || bytes.IndexByte(rest, '%') >= 0) {
		if at := s.userInfoEnd(next); at > next {
			s.replace(next, at)
			s.begin(at)
			return at
		}
	}
	if !s.query {
		s.endWord(i)
		s.begin(next)
		return next
	}
	// Not the end of a word: base64 has slashes.
	if isToken(s.src[s.segment:i]) {
		s.replace(s.segment, i)
	}
	s.segment = next
	return next
}

func (s *scan) begin(i int) { s.word, s.segment, s.quoted = i, i, i }

// endWord hides the word that ends at i, or its last segment, if it has the shape of a secret.
func (s *scan) endWord(i int) {
	word := max(s.word, s.out) // a segment of it may be hidden already
	if i-word >= tokenBytesMin {
		if w := s.src[word:i]; isToken(w) || s.query && looksRandom(w) {
			s.replace(word, i)
		} else if s.segment > word && isToken(s.src[s.segment:i]) {
			s.replace(s.segment, i)
		}
	}
	if i-s.out > s.end-len(s.dst) {
		s.emit(i) // does not fit in: no need to read on
	}
}

// hideValue hides the value that begins at i, behind a mark that was encoded depth times, and returns its end. In a query only an "&" that was encoded no more
// often ends it: any other mark may be part of a password. So it is in free text.
func (s *scan) hideValue(i, depth int) int {
	end := i
	for end < len(s.src) {
		c, width, d := decode(s.src, end)
		if d <= depth && c == '&' || !s.query && !s.free && d == 0 && (c == '/' || c == '?' || c == ';') {
			break
		}
		end += width
	}
	if end > i {
		s.replace(i, end)
	}
	s.begin(end)
	return end
}

// userInfoEnd returns the place of the last "@" of the authority that begins at i, -1 if there is none.
func (s *scan) userInfoEnd(i int) int {
	at := -1
	for i < len(s.src) {
		c, width, depth := decode(s.src, i)
		switch c {
		case '@':
			at = i
		case '/', '?', '#', '"', ' ':
			return at
		case '&':
			if s.query && depth == 0 {
				return at
			}
		}
		i += width
	}
	return at
}

// replace emits what comes before from, and the mark instead of what lies between from and to.
func (s *scan) replace(from, to int) {
	s.emit(max(from, s.out))
	if !s.cut {
		s.dst = append(s.dst, redacted...)
	}
	s.out = max(to, s.out)
}

// emit copies src up to i.
func (s *scan) emit(i int) {
	if s.cut {
		return
	}
	var ok bool
	s.dst, ok = appendEscaped(s.dst, s.src[s.out:i], s.end, s.as)
	s.cut = !ok
	s.out = i
}

// isScheme reports whether word is an authentication scheme that credentials follow (RFC 9110, section 11.4).
func isScheme(word []byte) bool {
	return exchange.EqualFold(word, "bearer") || exchange.EqualFold(word, "basic")
}
