package accesslog

import (
	"testing"

	"sluice/internal/leaktest"
)

// TestMain fails if a log's goroutine outlives its test.
func TestMain(m *testing.M) { leaktest.Main(m, "logfile.(*File).run") }
