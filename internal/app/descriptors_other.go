//go:build !linux && !darwin

package app

// descriptorsMax is not known here.
func descriptorsMax() int { return 0 }
