package exchange

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestFindsEachKnownNameInAnyCase(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for id := FieldOther + 1; id < nameCount; id++ {
		name := id.String()
		if name == "" {
			t.Fatalf("name %d has no spelling", id)
		}
		for range 50 {
			mixed := []byte(name)
			for i := range mixed {
				if c := mixed[i] | 0x20; r.IntN(2) == 0 && 'a' <= c && c <= 'z' {
					mixed[i] ^= 0x20
				}
			}
			if got := LookupName(mixed); got != id {
				t.Fatalf("%s is taken for %d %q", mixed, got, got)
			}
		}
		for _, same := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			if LookupName([]byte(same)) != id {
				t.Errorf("%s is not found", same)
			}
		}
	}
}

func TestNoKnownNameIsThereTwice(t *testing.T) {
	seen := map[string]Name{}
	for id := FieldOther + 1; id < nameCount; id++ {
		name := strings.ToLower(id.String())
		if other, ok := seen[name]; ok {
			t.Errorf("%s is %d and %d", name, other, id)
		}
		seen[name] = id
	}
}

// A bucket that is too small loses names without a word: all must be in the table, and one place more must stay free for the search to end.
func TestNoBucketOverflows(t *testing.T) {
	n := 0
	for _, bucket := range nameBuckets {
		for _, id := range bucket {
			if id != FieldOther {
				n++
			}
		}
	}
	if n != int(nameCount)-1 {
		t.Errorf("%d of %d names are in the table", n, nameCount-1)
	}
}

func TestNamesFitTheBitsOfFields(t *testing.T) {
	if nameCount > 128 {
		t.Errorf("%d names, and Fields.known has 128 bits", nameCount)
	}
}

func TestNearMissesAreOtherNames(t *testing.T) {
	for id := FieldOther + 1; id < nameCount; id++ {
		name := spellings[id]
		for i := range name {
			for b := range 256 {
				near := append([]byte(nil), name...)
				near[i] = byte(b)
				if got, want := LookupName(near), slowLookup(near); got != want {
					t.Fatalf("%q is taken for %q, want %q", near, got, want)
				}
			}
			shorter := append(append([]byte(nil), name[:i]...), name[i+1:]...)
			if got := LookupName(shorter); got != slowLookup(shorter) {
				t.Errorf("%q is taken for %q", shorter, got)
			}
		}
		if got := LookupName(append(append([]byte(nil), name...), 's')); got != FieldOther {
			t.Errorf("%ss is taken for %q", name, got)
		}
	}
	for _, name := range []string{"", "a", "\x00", strings.Repeat("x", 1000)} {
		if got := LookupName([]byte(name)); got != FieldOther {
			t.Errorf("%.20q is taken for %q", name, got)
		}
	}
}
