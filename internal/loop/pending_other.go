//go:build !unix

package loop

// nothingPending cannot be known here: a dead connection is noticed when it is used, and the request tried again where that is safe.
func nothingPending(int) bool { return true }

// failedPending cannot be known here: a reset is noticed by who reads or writes.
func failedPending(int) bool { return false }
