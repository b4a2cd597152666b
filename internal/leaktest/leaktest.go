// Package leaktest fails the tests of a package when goroutines outlive them.
//
// It is a test double's package, called from TestMain: it looks at the stacks of all goroutines once the tests are over and waits a moment for the last ones to end.
// It knows goroutines by the text of their stacks and nothing else of them.
package leaktest

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// patience is how long goroutines may take to end after the last test.
const patience = 10 * time.Second

// Main runs the tests and ends the process: with status 1 if a goroutine is left whose stack has one of the marks, such as "admin.(*Server)".
func Main(m *testing.M, marks ...string) {
	code := m.Run()
	stacks := make([]byte, 1<<20)
	for deadline := time.Now().Add(patience); code == 0; runtime.Gosched() {
		left := stacks[:runtime.Stack(stacks, true)]
		if !hasAny(left, marks) {
			break
		}
		if time.Now().After(deadline) {
			fmt.Printf("a goroutine is left:\n%s\n", left)
			code = 1
		}
	}
	os.Exit(code)
}

func hasAny(stacks []byte, marks []string) bool {
	for _, mark := range marks {
		if bytes.Contains(stacks, []byte(mark)) {
			return true
		}
	}
	return false
}
