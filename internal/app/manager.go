package app

import (
	"fmt"
	"os"
	"strings"
	"time"

	"sluice/internal/systemd"
)

// manager is who is to be told how the process is: nil if nobody listens, or listens to another process by now.
func (p *Process) manager() *systemd.Notifier {
	if p.program.Inherited == nil || p.succession.done() {
		return nil
	}
	return p.program.Inherited.manager
}

// serving is called when the first config is in force. The manager of a process whose place this one takes knows already that the service is ready.
func (p *Process) serving() {
	for _, s := range p.program.Inherited.legacy().Settle() {
		if s.Activated {
			p.log.Warn("the service manager has opened a socket that no site uses: whoever connects to it waits in vain", "address", s.Address)
			continue
		}
		p.log.Info("no longer listening", "address", s.Address)
		if path, ok := strings.CutPrefix(s.Address, "unix:"); ok {
			_ = os.Remove(path) // the process before has left it to us
		}
	}
	if !p.program.Inherited.takesOver() {
		p.manager().Ready(p.summary())
	}
	p.pulse.start(p.manager().Watchdog()/2, func() {
		if !p.engine.Stalled() {
			p.manager().Alive()
		}
	})
}

// summary is one line about the process, for the service manager's status.
func (p *Process) summary() string {
	return fmt.Sprintf("sites: %d, listeners: %d, config generation %d", len(p.inForce.Load().cfg.Sites), len(p.engine.Addresses()), p.engine.Snapshot().Generation)
}

// A pulse calls a function again and again. The zero pulse does not.
type pulse struct{ quit, done chan struct{} }

// start has beat called each time that every is over, until stop; never if every is 0.
func (u *pulse) start(every time.Duration, beat func()) {
	if every <= 0 {
		return
	}
	u.quit, u.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(u.done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				beat()
			case <-u.quit:
				return
			}
		}
	}()
}

// stop ends it.
func (u *pulse) stop() {
	if u.quit != nil {
		close(u.quit)
		<-u.done
		u.quit = nil
	}
}
