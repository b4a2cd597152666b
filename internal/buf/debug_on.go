//go:build bufdebug

package buf

import "bytes"

// Debug is true in builds with tag bufdebug.
const Debug = true

// dead is what a released byte reads as.
const dead = 0xDB

// onGet panics if somebody wrote to b after it was given back.
func onGet(b []byte) {
	if bytes.Count(b, []byte{dead}) != len(b) {
		panic("buf: a block was written to after it had been given back")
	}
}

// onPut overwrites b and panics if it is among the free ones already.
func onPut(b []byte, free [][]byte) {
	for _, f := range free {
		if &f[0] == &b[0] {
			panic("buf: a block was given back twice")
		}
	}
	poison(b)
}

func poison(b []byte) {
	for i := range b {
		b[i] = dead
	}
}
