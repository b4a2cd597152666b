package app

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sluice/internal/admin"
	"sluice/internal/config"
)

// Signals are those that Wait understands. Each kind has a channel of its own, so that a flood of one crowds out no other.
type Signals struct {
	End     chan os.Signal // SIGTERM and SIGINT
	Reload  chan os.Signal // SIGHUP
	Reopen  chan os.Signal // SIGUSR1
	Upgrade chan os.Signal // SIGUSR2
}

// MakeSignals returns channels that nobody sends to yet. One signal of a kind that waits is enough, but for End, where a second one says something else.
func MakeSignals() Signals {
	return Signals{End: make(chan os.Signal, 4), Reload: make(chan os.Signal, 1), Reopen: make(chan os.Signal, 1), Upgrade: make(chan os.Signal, 1)}
}

// CatchSignals has the process's signals sent to the returned channels. A log's reader that has gone does not end the process from now on.
func CatchSignals() Signals {
	signal.Ignore(syscall.SIGPIPE)
	s := MakeSignals()
	signal.Notify(s.End, os.Interrupt, syscall.SIGTERM)
	signal.Notify(s.Reload, syscall.SIGHUP)
	signal.Notify(s.Reopen, syscall.SIGUSR1)
	signal.Notify(s.Upgrade, syscall.SIGUSR2)
	return s
}

// Wait runs the process until a signal ends it or another process has taken over: SIGTERM or SIGINT lets exchanges finish for as long as limits.drain_timeout says, a
// second one ends them at once. SIGHUP is for a reload, SIGUSR1 has the log files opened again, also while exchanges finish, SIGUSR2 is for an upgrade.
func (p *Process) Wait(s Signals) {
	var noFile <-chan os.Signal
	if p.program.File == "" {
		noFile, s.Reload = s.Reload, nil
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		p.tend(s, quit)
	}()
	defer func() { close(quit); <-done }()
	for {
		select {
		case sig := <-s.End:
			p.end(sig.String(), s.End)
			return
		case sig := <-noFile:
			p.end(sig.String(), s.End)
			return
		case <-p.succession.replaced:
			p.end("another process has taken over", s.End)
			return
		case <-s.Upgrade:
			go func() { _ = p.Upgrade() }() // its outcome is in the log; Stop ends it
		}
	}
}

// tend does what takes a while and must not keep Wait from ending the process, until quit is closed.
func (p *Process) tend(s Signals, quit <-chan struct{}) {
	for {
		select {
		case <-s.Reload:
			if p.ending.Load() { // of what a reload does, only the logs matter yet
				p.ReopenLogs()
			} else {
				_ = p.reload() // its outcome is in the log
			}
		case <-s.Reopen:
			p.ReopenLogs()
		case <-quit:
			return
		}
	}
}

// reload is Reload with its outcome in the log.
func (p *Process) reload() error {
	p.manager().Reloading()
	err := p.Reload()
	if !p.ending.Load() {
		p.manager().Ready(p.summary())
	}
	if errors.Is(err, errEnding) || errors.Is(err, errUpgrading) { // it says nothing about the config
		p.log.Warn("the config is not read again", "why", err)
		return err
	}
	p.countReload(err)
	if err == nil {
		p.log.Info("reloaded", "generation", p.engine.Snapshot().Generation, "config", p.program.File)
		return nil
	}
	p.log.Error("the new config is refused; the old one stays in force", "error", err)
	var bad *ConfigError
	if errors.As(err, &bad) {
		for _, diag := range bad.Decoder.Diagnostics {
			if diag.Severity == config.Error {
				p.log.Error("config", "at", place(diag.Pos), "error", diag.Code, "text", diag.Text, "source", bad.Decoder.Source(diag), "suggestion", diag.Suggestion)
			}
		}
	}
	return err
}

// end stops the process in order, or at once when a further signal comes.
func (p *Process) end(why string, signals <-chan os.Signal) {
	p.ending.Store(true)
	timeout := time.Duration(p.inForce.Load().cfg.Limits.DrainTimeout)
	p.manager().Stopping("exchanges that run may finish")
	p.admin.Publish(admin.KindProcess, map[string]string{"state": "stopping", "why": why})
	p.log.Info("stopping: exchanges that run may finish", "why", why, "connections", p.engine.Connections(), "for_up_to", timeout)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	further := 1
	if p.succession.done() {
		further = 2 // the first one may be meant for all processes of the service, and this one is ending already
	}
	go func() {
		for ctx.Err() == nil {
			select {
			case s := <-signals:
				if further--; further == 0 {
					p.log.Info("stopping at once", "signal", s.String())
					cancel()
				}
			case <-ctx.Done():
			}
		}
	}()
	p.Stop(ctx)
}
