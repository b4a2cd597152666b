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

// Signals has the signals that Wait understands sent to the returned channel. A log's reader that has gone does not end the process from now on.
func Signals() <-chan os.Signal {
	signal.Ignore(syscall.SIGPIPE)
	c := make(chan os.Signal, 8)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	return c
}

// Wait runs the process until a signal ends it or another process has taken over: SIGTERM or SIGINT lets exchanges finish for as long as limits.drain_timeout says, a
// second one ends them at once. SIGHUP is for a reload, SIGUSR1 has the log files opened again, SIGUSR2 is for an upgrade.
func (p *Process) Wait(signals <-chan os.Signal) {
	for {
		select {
		case s := <-signals:
			switch {
			case s == syscall.SIGHUP && p.program.File != "":
				_ = p.reload() // its outcome is in the log
			case s == syscall.SIGUSR1:
				p.ReopenLogs()
			case s == syscall.SIGUSR2:
				go func() { _ = p.Upgrade() }() // its outcome is in the log; Stop ends it
			default:
				p.end(s.String(), signals)
				return
			}
		case <-p.succession.replaced:
			p.end("another process has taken over", signals)
			return
		}
	}
}

// reload is Reload with its outcome in the log.
func (p *Process) reload() error {
	p.manager().Reloading()
	err := p.Reload()
	p.manager().Ready(p.summary())
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
				if s != os.Interrupt && s != syscall.SIGTERM {
					continue
				}
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
