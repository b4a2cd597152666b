package exchange

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// model is a list of field lines without any cleverness: what Fields must behave like.
type model []struct{ name, value string }

func (m model) find(name string) int {
	return slices.IndexFunc(m, func(l struct{ name, value string }) bool { return strings.EqualFold(l.name, name) })
}

func (m *model) add(name, value string) {
	*m = append(*m, struct{ name, value string }{name, value})
}

func (m *model) del(name string) {
	*m = slices.DeleteFunc(*m, func(l struct{ name, value string }) bool { return strings.EqualFold(l.name, name) })
}

func (m *model) set(name, value string) {
	i := m.find(name)
	if i < 0 {
		m.add(name, value)
		return
	}
	(*m)[i].value = value
	rest := (*m)[i+1:]
	rest.del(name)
	*m = append((*m)[:i+1], rest...)
}

// check compares all that can be asked of f with m.
func (m model) check(t *testing.T, f *Fields) {
	t.Helper()
	var want, got []string
	for _, l := range m {
		name := l.name
		if id := LookupName([]byte(name)); id != FieldOther {
			name = id.String()
		}
		want = append(want, name+": "+l.value)
	}
	for _, l := range f.Lines() {
		got = append(got, string(l.Name)+": "+string(l.Value))
		if l.ID != LookupName(l.Name) {
			t.Errorf("%s has ID %d", l.Name, l.ID)
		}
	}
	if !slices.Equal(got, want) || f.Len() != len(want) {
		t.Fatalf("got\n%q\nwant\n%q", got, want)
	}
	for id := FieldOther + 1; id < nameCount; id++ {
		i := m.find(id.String())
		if f.Has(id) != (i >= 0) || i >= 0 && string(f.Get(id)) != m[i].value || i < 0 && f.Get(id) != nil {
			t.Fatalf("%s: Has %v, Get %q; %q", id, f.Has(id), f.Get(id), got)
		}
		n := 0
		for _, l := range m {
			if strings.EqualFold(l.name, id.String()) {
				n++
			}
		}
		if f.Count(id) != n {
			t.Fatalf("%s: Count %d, want %d", id, f.Count(id), n)
		}
	}
}

// names of the random test: known and unknown ones, in several cases, some of which differ from known ones by a byte.
func randomName(r *rand.Rand) string {
	names := []string{"Host", "Cookie", "Via", "X-Request-ID", "X-A", "x-b", "Hosts", "Cooki", "TE", "T", "Accept", "Age"}
	name := names[r.IntN(len(names))]
	switch r.IntN(3) {
	case 0:
		return strings.ToLower(name)
	case 1:
		return strings.ToUpper(name)
	}
	return name
}

func TestFieldsBehaveLikeAPlainList(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var f Fields
		var m model
		for step := range 40 {
			name, value := randomName(r), fmt.Sprint(step)
			id := LookupName([]byte(name))
			switch op := r.IntN(10); {
			case op < 4:
				f.AddNamed([]byte(name), []byte(value))
				m.add(name, value)
			case op == 4 && id != FieldOther:
				f.Add(id, []byte(value))
				m.add(name, value)
			case op == 5 && id != FieldOther:
				f.Set(id, []byte(value))
				m.set(name, value)
			case op == 6:
				f.SetNamed([]byte(name), []byte(value))
				m.set(name, value)
			case op == 7 && id != FieldOther:
				f.Del(id)
				m.del(name)
			case op == 8:
				f.DelNamed([]byte(name))
				m.del(name)
			case op == 9 && r.IntN(4) == 0:
				f.DelFunc(func(l *Field) bool { return l.Value[len(l.Value)-1]%2 == 0 })
				m = slices.DeleteFunc(m, func(l struct{ name, value string }) bool { return l.value[len(l.value)-1]%2 == 0 })
			}
			m.check(t, &f)
			i := m.find(name)
			if got := f.GetNamed([]byte(name)); i < 0 && got != nil || i >= 0 && string(got) != m[i].value {
				t.Fatalf("seed %d: GetNamed(%s) is %q", seed, name, got)
			}
		}
		f.Reset()
		model{}.check(t, &f)
	}
}

func TestFieldsKeepOtherNamesAsTheyCame(t *testing.T) {
	var f Fields
	f.AddNamed([]byte("x-CuStOm"), []byte("1"))
	f.AddNamed([]byte("uSER-aGENT"), []byte("2"))
	f.SetNamed([]byte("X-Custom"), []byte("3"))
	f.SetNamed([]byte("X-New"), []byte("4"))
	want := []string{"x-CuStOm=3", "User-Agent=2", "X-New=4"}
	var got []string
	for _, l := range f.Lines() {
		got = append(got, string(l.Name)+"="+string(l.Value))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestResetForgetsWhatWasDeletedToo(t *testing.T) {
	var f Fields
	for i := range 10 {
		f.AddNamed([]byte("X-A"), []byte{byte('0' + i)})
	}
	f.DelNamed([]byte("X-A"))
	f.Add(FieldHost, []byte("a"))
	f.Reset()
	if f.Len() != 0 || f.Has(FieldHost) || f.Get(FieldHost) != nil {
		t.Error("something is left")
	}
	if f.AddNamed([]byte("Via"), nil); f.Len() != 1 || f.Count(FieldVia) != 1 {
		t.Error("not usable after Reset")
	}
}

func TestListsOfTokens(t *testing.T) {
	var f Fields
	f.Add(FieldConnection, []byte("close, "))
	f.Add(FieldConnection, []byte(",\tX-A ,Keep-Alive"))
	for token, want := range map[string]bool{"close": true, "CLOSE": true, "x-a": true, "keep-alive": true, "keep": false, "": true, "a": false} {
		if got := f.HasToken(FieldConnection, token); got != want {
			t.Errorf("HasToken(%q) is %v", token, got)
		}
	}
	if f.HasToken(FieldVia, "close") {
		t.Error("a field that is not there has a token")
	}
	var items []string
	for rest := []byte(" a ,,\tb,c c "); rest != nil; {
		var item []byte
		item, rest = NextToken(rest)
		items = append(items, string(item))
	}
	if !slices.Equal(items, []string{"a", "", "b", "c c"}) {
		t.Errorf("items %q", items)
	}
}

func TestFoldsTheCaseOfLettersAndNothingElse(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			x, y := []byte{byte(a)}, string([]byte{byte(b)})
			letter := 'a' <= a|0x20 && a|0x20 <= 'z'
			if want := a == b || letter && a^b == 0x20; EqualFold(x, y) != want {
				t.Fatalf("EqualFold(%q, %q) is not %v", x, y, want)
			}
		}
	}
	if EqualFold("ab", "abc") || !EqualFold("", "") {
		t.Error("lengths")
	}
}

func TestTrimsSpacesAndTabs(t *testing.T) {
	for in, want := range map[string]string{"": "", " ": "", "\t a b\t ": "a b", "\n a": "\n a", "a\r": "a\r"} {
		if got := TrimSpace([]byte(in)); string(got) != want {
			t.Errorf("%q gives %q", in, got)
		}
	}
}

func TestFieldsAllocateNothingInSteadyState(t *testing.T) {
	var f Fields
	names := [][]byte{[]byte("host"), []byte("X-Unknown"), []byte("Accept"), []byte("Cookie"), []byte("cookie"), []byte("via")}
	value := []byte("value")
	use := func() {
		f.Reset()
		for _, name := range names {
			f.AddNamed(name, value)
		}
		f.Set(FieldHost, value)
		f.SetNamed(names[1], value)
		f.Del(FieldCookie)
		f.DelNamed(names[1])
		f.DelFunc(func(l *Field) bool { return l.ID == FieldVia })
		_ = f.HasToken(FieldAccept, "close")
		_ = f.GetNamed(names[1])
	}
	use()
	if n := testing.AllocsPerRun(100, use); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
