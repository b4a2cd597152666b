package loop

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain looks for what the tests left behind: goroutines, coroutines and descriptors.
func TestMain(m *testing.M) {
	before := openFiles()
	code := m.Run()
	if code == 0 {
		code = leaks(before)
	}
	os.Exit(code)
}

// leaks waits a moment for what ends by itself.
func leaks(before int) int {
	text := ""
	for range 200 {
		if text = leaked(before); text == "" {
			return 0
		}
		<-time.After(10 * time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "the tests leave behind:\n"+text)
	return 1
}

func leaked(before int) string {
	if n := openFiles(); n > before+2 { // Go's own poller opens two when it is first used
		return fmt.Sprintf("%d descriptors, %d before", n, before)
	}
	all := make([]byte, 1<<20)
	all = all[:runtime.Stack(all, true)]
	var found []byte
	for stack := range bytes.SplitSeq(all, []byte("\n\n")) {
		if bytes.Contains(stack, []byte("sluice/internal/loop")) && !bytes.Contains(stack, []byte("loop.TestMain")) {
			found = append(append(found, stack...), "\n\n"...)
		}
	}
	return string(found)
}

// openFiles is how many descriptors the process has; 0 where that can't be told.
func openFiles() int {
	files, _ := os.ReadDir("/proc/self/fd")
	return len(files)
}
