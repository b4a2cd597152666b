package admin

import (
	"testing"

	"sluice/internal/leaktest"
)

// TestMain fails if a goroutine of a server outlives its test.
func TestMain(m *testing.M) { leaktest.Main(m, "admin.(*Server)") }
