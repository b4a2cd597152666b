package logfile

import (
	"testing"

	"sluice/internal/leaktest"
)

// TestMain fails if a File's goroutine outlives its test.
func TestMain(m *testing.M) { leaktest.Main(m, "logfile.(*File).run") }
