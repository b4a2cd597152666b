//go:build soak

package wire

import (
	"runtime"
	"testing"

	"sluice/test/proxytest"
)

func TestSoakOfMixedExchangesLeavesNothing(t *testing.T) {
	eachDriver(t, func(t *testing.T, d proxytest.Driver) {
		mixExchanges(t, d, 20_000) // memory has found its level
		before := heapBytes()
		mixExchanges(t, d, 100_000)
		if after := heapBytes(); after > before+heapSlack {
			t.Errorf("the heap has grown from %d to %d bytes", before, after)
		}
	})
}

// heapSlack is how much the heap may differ between two runs: what pools keep.
const heapSlack = 8 << 20

// heapBytes is what is reachable.
func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
