package admin

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain fails if a goroutine of a server outlives its test.
func TestMain(m *testing.M) {
	code := m.Run()
	stacks := make([]byte, 1<<20)
	for deadline := time.Now().Add(5 * time.Second); ; runtime.Gosched() {
		left := stacks[:runtime.Stack(stacks, true)]
		if !bytes.Contains(left, []byte("admin.(*Server)")) {
			break
		}
		if time.Now().After(deadline) {
			fmt.Printf("a goroutine is left:\n%s\n", left)
			code = 1
			break
		}
	}
	os.Exit(code)
}
