package otlp

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/internal/observe/otlptest"
)

// spanOf returns a span with attributes that make it as long as its text.
func spanOf(text string) []byte {
	dst, at := BeginSpan(nil, &Span{
		TraceID: [16]byte{1, 15: 2}, ID: [8]byte{3}, Parent: [8]byte{4}, Remote: true, Flags: 3, State: []byte("a=b"), Name: []byte("GET /x"), Kind: Server,
		Began: 1e18, Ended: 1e18 + 5, Failed: true,
	})
	dst = AppendString(dst, "text", text)
	dst = AppendInt(dst, "number", 1<<40)
	dst = AppendInt(dst, "negative", -1)
	dst = AppendTrue(dst, "fact")
	dst, open := BeginText(dst, "open")
	dst = open.End(append(dst, text...))
	return EndSpan(AppendEvent(dst, "event", 1e18+1), at)
}

func TestTheOfficialTypesReadWhatIsWritten(t *testing.T) {
	set := &Settings{Version: "1.2.3", Resource: []Attribute{{"service.name", "edge"}, {"long", strings.Repeat("r", 300)}}}
	for _, n := range []int{0, 1, 50, 110, 127, 128, 129, 16000, 1 << 14, 1 << 15, 1 << 22} { // lengths of one to four bytes
		text := strings.Repeat("é", n)
		all, err := otlptest.Decode(appendRequest([]byte{}, set, []buffer{{spans: spanOf(text)}, {spans: append(spanOf("a"), spanOf("b")...)}}))
		if err != nil || len(all) != 3 {
			t.Fatalf("%d: %d spans, %v", n, len(all), err)
		}
		want := otlptest.Span{
			Trace: "01000000000000000000000000000002", ID: "0300000000000000", Parent: "0400000000000000", Name: "GET /x", State: "a=b", Server: true, Failed: true,
			Flags: 0x303, Began: time.Unix(1e9, 0), Ended: time.Unix(1e9, 5), Events: []string{"event"}, Scope: "sluice 1.2.3",
			Attributes: map[string]string{"text": text, "number": fmt.Sprint(1 << 40), "negative": "-1", "fact": "true", "open": text},
			Resource:   map[string]string{"service.name": "edge", "long": strings.Repeat("r", 300)},
		}
		if !reflect.DeepEqual(all[0], want) {
			t.Errorf("%d: got %.500v, want %.500v", n, all[0], want)
		}
	}
}

func TestASpanWithoutParentIsARoot(t *testing.T) {
	b, at := BeginSpan(nil, &Span{TraceID: [16]byte{1}, ID: [8]byte{2}, Remote: true, Flags: 1, Name: []byte("GET"), Kind: Client})
	all, err := otlptest.Decode(appendRequest(nil, &Settings{}, []buffer{{spans: EndSpan(b, at)}}))
	if err != nil || len(all) != 1 || all[0].Parent != "" || all[0].Flags != 0x101 || all[0].Failed || all[0].Server || all[0].State != "" {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestNothingIsAllocatedForASpan(t *testing.T) {
	room := make([]byte, 0, 4096)
	text := strings.Repeat("x", 200)
	if n := testing.AllocsPerRun(100, func() {
		b, at := BeginSpan(room, &Span{TraceID: [16]byte{1}, Name: []byte("GET")})
		b = AppendInt(AppendString(b, "a", text), "b", 1)
		EndSpan(b, at)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestReadsHowManySpansWereRejected(t *testing.T) {
	for _, n := range []int64{0, 1, 127, 128, 1 << 40} {
		if got := rejectedSpans(otlptest.Partial(n)); got != n {
			t.Errorf("%d is read as %d", n, got)
		}
	}
	for _, b := range []string{"", "x", "\x0a", "\x0a\xff", "\x0a\x02\x08", "\x0a\x02\x08\x80", string(otlptest.Partial(-1))} {
		if got := rejectedSpans([]byte(b)); got != 0 {
			t.Errorf("%q is read as %d", b, got)
		}
	}
}
