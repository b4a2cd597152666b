package app

import (
	"fmt"
	"sync"

	"sluice/internal/observe/logfile"
)

// An output is where the process's own log goes. It can be switched, and a file can be opened again. The zero output goes nowhere.
type output struct {
	trouble func(error) // told of what goes wrong without costing a line; nil ignores it. Set before the first use

	mu  sync.Mutex
	out logfile.Output // guarded by mu; nil is nowhere
}

// use has the log go to a place, which is opened also if it is the one in use. At an error nothing has changed.
func (o *output) use(at logfile.Place) error {
	out, err := at.Open(func(err error) {
		if o.trouble != nil {
			o.trouble(err)
		}
	})
	if err != nil {
		return fmt.Errorf("log.file: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closeLocked()
	o.out = out
	return nil
}

// reopen opens a file again. If that fails, the old one stays in use.
func (o *output) reopen() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.out == nil {
		return nil
	}
	return o.out.Reopen()
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.out == nil {
		return len(p), nil
	}
	return o.out.Write(p)
}

func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closeLocked()
}

func (o *output) closeLocked() {
	if o.out != nil {
		_ = o.out.Close()
	}
	o.out = nil
}
