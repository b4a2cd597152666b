package tracecontext

import (
	"strings"
	"testing"

	"sluice/internal/exchange"
)

const example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestReadsAParent(t *testing.T) {
	for text, flags := range map[string]byte{
		example:                                  Sampled,
		strings.TrimSuffix(example, "1") + "0":   0,
		strings.TrimSuffix(example, "01") + "03": Sampled | Random,
		strings.TrimSuffix(example, "01") + "ff": Sampled | Random, // others are not ours to hand on
		"cc" + example[2:]:                       Sampled,
		"cc" + example[2:] + "-what-is-to-come":  Sampled,
	} {
		p, ok := ParseParent([]byte(text))
		if !ok || p.Flags != flags {
			t.Errorf("%s: %+v, %v", text, p, ok)
		}
		want := "00" + example[2:53] + string([]byte{'0', "0123"[flags]})
		if got := string(p.Append(nil)); got != want {
			t.Errorf("%s is handed on as %s", text, got)
		}
	}
}

func TestRefusesWhatIsNoParent(t *testing.T) {
	for _, text := range []string{
		"", "00", example[:54], example + "-", example + "0", "ff" + example[2:], "cc" + example[2:] + ".", "cc" + example[2:] + "x",
		strings.ToUpper(example), strings.Replace(example, "4bf9", "4BF9", 1), strings.Replace(example, "-", "_", 1),
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		strings.Replace(example, "4bf9", "4bg9", 1), example[:53] + "0x", "0g" + example[2:], " " + example, example + " ",
	} {
		if p, ok := ParseParent([]byte(text)); ok {
			t.Errorf("%q is taken for %+v", text, p)
		}
	}
}

// stateOf returns what lines of tracestate are handed on as.
func stateOf(lines ...string) (string, bool) {
	var f exchange.Fields
	f.AddNamed([]byte("Host"), []byte("a.example"))
	for _, l := range lines {
		f.Add(exchange.FieldTracestate, []byte(l))
	}
	b, ok := AppendState(nil, &f)
	return string(b), ok
}

func TestHandsOnAState(t *testing.T) {
	long := "long=" + strings.Repeat("x", longMemberBytes)
	short := func(key byte) string { return string(key) + "=" + strings.Repeat("y", 98) } // 100 bytes
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"a=1"}, "a=1"},
		{[]string{"a=1, b=2 ,,\tc=x y"}, "a=1,b=2,c=x y"},
		{[]string{"a=1", "", "b=2"}, "a=1,b=2"},
		{[]string{"0tenant@vendor=1,a_-*/=!~"}, "0tenant@vendor=1,a_-*/=!~"},
		{[]string{long, short('a')}, long + "," + short('a')},
		{[]string{short('a'), long, short('b'), short('c'), short('d')}, short('a') + "," + short('b') + "," + short('c') + "," + short('d')},
		{[]string{short('a'), short('b'), short('c'), short('d'), short('e'), "f=12345678"}, short('a') + "," + short('b') + "," + short('c') + "," + short('d') + "," + short('e')},
		{[]string{short('a'), short('b'), short('c'), short('d'), short('e') + "12345678901"}, short('a') + "," + short('b') + "," + short('c') + "," + short('d')},
	} {
		if got, ok := stateOf(c.lines...); !ok || got != c.want || len(got) > StateBytesMax {
			t.Errorf("%q is handed on as %q, %v", c.lines, got, ok)
		}
	}
}

func TestDropsAStateThatIsNotOne(t *testing.T) {
	for _, lines := range [][]string{
		{"a"}, {"=1"}, {"a="}, {"A=1"}, {"_a=1"}, {"@a=1"}, {"a=1=2"}, {"a=\x7f"}, {"a=\xc3\xa9"}, {"a=1\tb"}, {"a=1,a=2"}, {"a=1", "b=1,a=2"},
		{strings.Repeat("k", keyBytesMax+1) + "=1"}, {"a=" + strings.Repeat("v", valueBytesMax+1)}, {many(membersMax + 1)},
	} {
		if got, ok := stateOf(lines...); ok || got != "" {
			t.Errorf("%q is handed on as %q", lines, got)
		}
	}
	if _, ok := stateOf(many(membersMax)); !ok {
		t.Error("as many members as there may be are refused")
	}
}

// many returns a state of n members.
func many(n int) string {
	var members []string
	for i := range n {
		members = append(members, string([]byte{'a' + byte(i/10), '0' + byte(i%10)})+"=1")
	}
	return strings.Join(members, ",")
}

func TestNothingIsAllocated(t *testing.T) {
	var f exchange.Fields
	f.Add(exchange.FieldTracestate, []byte(many(20)))
	f.Add(exchange.FieldTracestate, []byte("zz=1"))
	value, room := []byte(example), make([]byte, 0, 2*StateBytesMax)
	if n := testing.AllocsPerRun(100, func() {
		p, _ := ParseParent(value)
		room = p.Append(room[:0])
		room, _ = AppendState(room[:0], &f)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
