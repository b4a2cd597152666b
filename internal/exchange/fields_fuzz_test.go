package exchange

import (
	"bytes"
	"slices"
	"testing"
)

func FuzzFieldNames(f *testing.F) {
	for id := FieldOther + 1; id < nameCount; id++ {
		f.Add(spellings[id], []byte("x"))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, name := range [][]byte{a, b} {
			id := LookupName(name)
			if id != slowLookup(name) {
				t.Fatalf("%q is taken for %s", name, id)
			}
		}
		if len(a) == 0 || len(b) == 0 {
			return
		}
		var fields Fields
		fields.AddNamed(a, b)
		if got := fields.GetNamed(bytes.ToUpper(a)); isASCII(a) && string(got) != string(b) {
			t.Fatalf("%q is not found again", a)
		}
		fields.DelNamed(a)
		if fields.Len() != 0 {
			t.Fatalf("%q is not deleted", a)
		}
	})
}

func isASCII(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c >= 0x80 }) }

// slowLookup is the oracle of LookupName.
func slowLookup(name []byte) Name {
	for id := FieldOther + 1; id < nameCount; id++ {
		if len(name) == len(spellings[id]) && EqualFold(name, string(spellings[id])) {
			return id
		}
	}
	return FieldOther
}
