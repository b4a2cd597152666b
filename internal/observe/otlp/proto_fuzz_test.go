package otlp

import (
	"bytes"
	"testing"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"sluice/internal/observe/otlptest"
)

// The official types are the oracle, for answers that are written as one would write them: no part twice.
func FuzzRejectedSpans(f *testing.F) {
	f.Add(otlptest.Partial(3))
	f.Add(otlptest.Partial(1 << 50))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got := rejectedSpans(b)
		if got < 0 {
			t.Fatal(got)
		}
		var m collector.ExportTraceServiceResponse
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		if again, err := proto.Marshal(&m); err != nil || !bytes.Equal(again, b) {
			return
		}
		if want := max(m.GetPartialSuccess().GetRejectedSpans(), 0); got != want {
			t.Fatalf("%x: got %d, want %d", b, got, want)
		}
	})
}
