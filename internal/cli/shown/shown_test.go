package shown

import "testing"

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 999: "999B", 1000: "0.977KiB", 1023 << 10: "0.999MiB", 1536: "1.5KiB", 1 << 20: "1MiB", 5 << 40: "5TiB", 1<<62 + 1: "4096PiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for ms, want := range map[float64]string{0: "0.00ms", 9.994: "9.99ms", 9.996: "10ms", 10: "10ms", 9999: "9999ms", 10_000: "10.0s", 599_000: "599.0s", 600_000: "10min"} {
		if got := Milliseconds(ms); got != want {
			t.Errorf("%v: %s, want %s", ms, got, want)
		}
	}
}
