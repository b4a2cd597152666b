package target

import (
	"math/rand/v2"
	"strings"
	"testing"
)

const agreeRounds = 30_000

// TestPathsAgreeWithThePlainTwin puts paths together from what attackers put them together from.
func TestPathsAgreeWithThePlainTwin(t *testing.T) {
	pieces := []string{
		"/", "/", "/", ".", ".", "..", "%2e", "%2E", "%2f", "%2F", "%5c", "%5C", ";", "%3b", "%3F", "%23", "a", "b", "%61", "%C0%AE", "%c0%af", "%C1%9C", "%E0%80%AE", "%E0%81", "%F0%80%80%AF", "%25", "2e", "%C3%A9",
		"|", "[", "%00", "%zz", "\\", "#", "\x80",
	}
	r, taken, changed := rand.New(rand.NewPCG(1, 2)), 0, 0
	for range agreeRounds {
		var s strings.Builder
		s.WriteString("/")
		for range r.IntN(9) {
			s.WriteString(pieces[r.IntN(len(pieces)-r.IntN(2)*5)]) // half of the paths without the last five, which are always refused
		}
		in := s.String()
		got, err := Normalize(nil, []byte(in))
		want, ok := plainNormalize(in)
		if ok != (err == nil) || ok && string(got) != want {
			t.Fatalf("%q: got %q, %v; the plain twin %q, %v", in, got, err, want, ok)
		}
		if ok {
			taken++
			if want != in {
				changed++
			}
			if again, err := Normalize(nil, got); err != nil || string(again) != want {
				t.Fatalf("%q: not idempotent: %q, then %q, %v", in, got, again, err)
			}
		}
	}
	if taken < agreeRounds/10 || changed < agreeRounds/20 {
		t.Errorf("only %d paths were valid, %d not normal: the test shows little", taken, changed)
	}
}

func TestHostsAgreeWithThePlainTwin(t *testing.T) {
	pieces := []string{":", ":", ":", "::", "1", "2", "ab", "ffff", "1.2.3.4", "12345", "0", ".", "%41", "%C3%BC", "80", "v1.", "g", "@", "*"}
	r, taken := rand.New(rand.NewPCG(1, 2)), 0
	for range agreeRounds {
		var s strings.Builder
		literal := r.IntN(2) == 0
		if literal {
			s.WriteString("[")
		}
		for i := range r.IntN(16) {
			if literal && i%2 == 1 {
				s.WriteString(pieces[r.IntN(4)])
				continue
			}
			s.WriteString(pieces[r.IntN(len(pieces)-r.IntN(2)*8)])
		}
		if literal {
			s.WriteString("]")
		}
		if r.IntN(4) == 0 {
			s.WriteString(":80")
		}
		in := s.String()
		_, _, ok := CheckHost([]byte(in))
		if want := plainHost(in); ok != want {
			t.Fatalf("%q: got %v, the plain twin %v", in, ok, want)
		}
		if ok {
			taken++
		}
	}
	if taken < agreeRounds/100 {
		t.Errorf("only %d hosts were valid: the test shows little", taken)
	}
}
