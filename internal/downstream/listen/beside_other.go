//go:build !linux

package listen

// OpenBeside is Open: where there is no SO_REUSEPORT as Linux has it, a wider and a narrower address exclude each other, or don't.
func OpenBeside(address string) (*Socket, error) { return Open(address) }

// Share does nothing here.
func Share(int, bool) {}

// Hush does nothing here.
func Hush(int) {}

func unhush(int) {}
