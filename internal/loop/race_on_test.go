//go:build race

package loop_test

// raceEnabled says that the race detector is on, which allocates.
const raceEnabled = true
