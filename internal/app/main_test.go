package app

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain fails if a goroutine of an engine or a service outlives its test.
func TestMain(m *testing.M) {
	code := m.Run()
	stacks := make([]byte, 1<<20)
	for deadline := time.Now().Add(patience); code == 0; runtime.Gosched() {
		left := stacks[:runtime.Stack(stacks, true)]
		if !bytes.Contains(left, []byte("sluice/internal/loop.")) && !bytes.Contains(left, []byte("sluice/internal/observe/")) &&
			!bytes.Contains(left, []byte("sluice/internal/upstream/")) {
			break
		}
		if time.Now().After(deadline) {
			fmt.Printf("a goroutine is left:\n%s\n", left)
			code = 1
		}
	}
	os.Exit(code)
}
