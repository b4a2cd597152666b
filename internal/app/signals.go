package app

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sluice/internal/config"
)

// Signals has the signals that Wait understands sent to the returned channel. A log's reader that has gone does not end the process from now on.
func Signals() <-chan os.Signal {
	signal.Ignore(syscall.SIGPIPE)
	c := make(chan os.Signal, 8)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1)
	return c
}

// Wait runs the process until a signal ends it: SIGTERM or SIGINT lets exchanges finish for as long as limits.drain_timeout says, a second one ends them at once.
// SIGHUP is for a reload, SIGUSR1 has the log files opened again.
func (p *Process) Wait(signals <-chan os.Signal) {
	for s := range signals {
		if s == syscall.SIGUSR1 {
			p.ReopenLogs()
			continue
		}
		if s == syscall.SIGHUP && p.program.File != "" {
			_ = p.reload() // its outcome is in the log
			continue
		}
		p.end(s, signals)
		return
	}
}

// reload is Reload with its outcome in the log.
func (p *Process) reload() error {
	err := p.Reload()
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
				p.log.Error("config", "at", place(diag.Pos), "error", diag.Code, "text", diag.Text)
			}
		}
	}
	return err
}

// end stops the process in order, or at once when a further signal comes.
func (p *Process) end(s os.Signal, signals <-chan os.Signal) {
	timeout := time.Duration(p.inForce.Load().cfg.Limits.DrainTimeout)
	p.log.Info("stopping: exchanges that run may finish", "signal", s.String(), "connections", p.engine.Connections(), "for_up_to", timeout)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			select {
			case s := <-signals:
				if s != syscall.SIGHUP && s != syscall.SIGUSR1 {
					p.log.Info("stopping at once", "signal", s.String())
					cancel()
				}
			case <-ctx.Done():
			}
		}
	}()
	p.Stop(ctx)
}
