package app

import (
	"testing"

	"sluice/internal/leaktest"
)

// TestMain fails if a goroutine of an engine or a service outlives its test.
func TestMain(m *testing.M) {
	leaktest.Main(m, "sluice/internal/loop.", "sluice/internal/observe/", "sluice/internal/upstream/")
}
