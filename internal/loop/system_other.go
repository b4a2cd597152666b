//go:build !linux

package loop

import "errors"

// NewSystem answers errors.ErrUnsupported: there is no epoll here, so tasks run on Goroutines.
func NewSystem(Waiting) (System, error) { return nil, errors.ErrUnsupported }
