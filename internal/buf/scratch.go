package buf

// scratchBytes is the first size of a Scratch, and the largest that Reset keeps.
const scratchBytes = 4 << 10

// A Scratch holds bytes that are made for one exchange and die together. What it returned stays in place when it grows. The zero value is ready.
type Scratch struct {
	block []byte
}

// Alloc returns n bytes, not cleared, with a capacity of n.
func (s *Scratch) Alloc(n int) []byte {
	b := s.Tail(n)
	return s.Commit(b[:n])
}

// Copy returns a copy of b.
func (s *Scratch) Copy(b []byte) []byte {
	return append(s.Alloc(len(b))[:0], b...)
}

// String returns a copy of v as bytes.
func (s *Scratch) String(v string) []byte {
	return append(s.Alloc(len(v))[:0], v...)
}

// Tail returns an empty slice with room for at least n bytes, for code in the append style; Commit keeps what was appended.
func (s *Scratch) Tail(n int) []byte {
	if cap(s.block)-len(s.block) < n {
		s.block = make([]byte, 0, max(n, scratchBytes))
	}
	return s.block[len(s.block):len(s.block):cap(s.block)]
}

// Commit keeps b, which is Tail's slice with something appended, and returns it with no room to grow. b may have outgrown the scratch.
func (s *Scratch) Commit(b []byte) []byte {
	if rest := s.block[len(s.block):cap(s.block)]; len(b) > 0 && len(rest) >= len(b) && &rest[0] == &b[0] {
		s.block = s.block[:len(s.block)+len(b)]
	}
	return b[:len(b):len(b)]
}

// Reset forgets all that was returned; its memory will be used again.
func (s *Scratch) Reset() {
	if cap(s.block) > scratchBytes {
		s.block = nil
		return
	}
	poison(s.block)
	s.block = s.block[:0]
}
