package planted

import "testing"

func FuzzPlanted(f *testing.F) { f.Fuzz(func(*testing.T, []byte) {}) }
