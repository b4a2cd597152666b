//go:build race

package sim

// raceEnabled says that the race detector is on, under which fewer seeds run.
const raceEnabled = true
