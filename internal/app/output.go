package app

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// An output is where the process's own log goes. It can be switched, and a file can be opened again. The zero output goes nowhere.
type output struct {
	mu   sync.Mutex
	out  io.Writer // guarded by mu; nil is nowhere
	file *os.File  // out if it is ours to close; guarded by mu
}

// use has the log go to "stderr", "stdout" or the file of that name, which is opened for appending, also if it is the one in use. At an error nothing has changed.
func (o *output) use(name string) error {
	var file *os.File
	var out io.Writer
	switch name {
	case "stderr":
		out = os.Stderr
	case "stdout":
		out = os.Stdout
	default:
		var err error
		if file, err = os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640); err != nil {
			return fmt.Errorf("log.file: %w", err)
		}
		out = file
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closeLocked()
	o.out, o.file = out, file
	return nil
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
	if o.file != nil {
		_ = o.file.Close()
	}
	o.out, o.file = nil, nil
}
