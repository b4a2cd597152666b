package leaktest

import (
	"runtime"
	"testing"
)

// waitFor is a goroutine that a test has left. It says that it runs: the stack of one that has not started yet does not name it.
func waitFor(runs, quit chan struct{}) {
	close(runs)
	<-quit
}

func TestSeesAGoroutineThatIsLeft(t *testing.T) {
	runs, quit := make(chan struct{}), make(chan struct{})
	defer close(quit)
	go waitFor(runs, quit)
	<-runs
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if !hasAny(stacks, []string{"nothing of the kind", "leaktest.waitFor"}) {
		t.Errorf("not seen in\n%s", stacks)
	}
	if hasAny(stacks, []string{"leaktest.nobody"}) {
		t.Error("sees what is not there")
	}
}
