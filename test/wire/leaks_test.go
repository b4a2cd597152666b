package wire

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"sluice/test/proxytest"
)

// TestMain fails if a goroutine of a proxy outlives its test.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := settle(func() string { return ours() }); left != "" {
		fmt.Printf("goroutines are left:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// ours are the goroutines that run code of the proxy.
func ours() string {
	all := make([]byte, 1<<20)
	var found []string
	for stack := range strings.SplitSeq(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if strings.Contains(stack, "sluice/internal/") {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}

// settle waits until complaint has none, and returns the last one it had.
func settle(complaint func() string) (last string) {
	for deadline := time.Now().Add(proxytest.Patience); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		if last = complaint(); last == "" {
			return ""
		}
	}
	return last
}

// withoutLeaks runs f, which starts and stops proxies, and checks that all goroutines and descriptors that it has used are given back.
func withoutLeaks(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	goroutines, descriptors := runtime.NumGoroutine(), countDescriptors(t)
	t.Run("run", f)
	if left := settle(func() string {
		g, d := runtime.NumGoroutine(), countDescriptors(t)
		if g > goroutines || d > descriptors {
			return fmt.Sprintf("there are %d goroutines and %d descriptors; before there were %d and %d", g, d, goroutines, descriptors)
		}
		return ""
	}); left != "" {
		t.Error(left)
	}
}

// countDescriptors is how many descriptors the process has open; 0 where nobody tells.
func countDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
