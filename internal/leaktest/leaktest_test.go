package leaktest

import (
	"runtime"
	"testing"
)

// waitFor is a goroutine that a test has left.
func waitFor(quit chan struct{}) { <-quit }

func TestSeesAGoroutineThatIsLeft(t *testing.T) {
	quit := make(chan struct{})
	defer close(quit)
	go waitFor(quit)
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if !hasAny(stacks, []string{"nothing of the kind", "leaktest.waitFor"}) {
		t.Errorf("not seen in\n%s", stacks)
	}
	if hasAny(stacks, []string{"leaktest.nobody"}) {
		t.Error("sees what is not there")
	}
}
