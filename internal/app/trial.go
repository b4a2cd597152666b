package app

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"sluice/internal/admin"
	"sluice/internal/build"
	"sluice/internal/config"
)

// A trial is a config that is in force until somebody confirms it, or its time is over and the one before comes back. It does not change.
type trial struct {
	save bool // it is written to the config file when it is confirmed
	stop func() bool
}

// apply puts a config in force that came over the admin API.
func (p *Process) apply(a admin.Application) admin.Outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	if refused := p.mayApplyLocked(a); refused != nil {
		return *refused
	}
	var saved *savedText
	if a.Save {
		var err error
		if saved, err = p.draftLocked(a.Text); err != nil {
			o := p.refusedLocked(http.StatusConflict, fmt.Errorf("the change can't be saved, and would be lost at the next start: %w", err))
			o.Unsaved = true
			return o
		}
		defer saved.Drop()
	}
	d, err := p.changeLocked(p.sentConfig(a.Name, a.Text), true)
	if err != nil {
		return p.failedLocked(err)
	}
	if a.For > 0 {
		p.beginTrialLocked(a)
	} else if a.Save {
		if err := p.saveLocked(saved); err != nil {
			return p.refusedLocked(http.StatusInternalServerError, errors.Join(err, p.goBackLocked()))
		}
	}
	p.log.Info("a config that was sent is in force", "generation", p.engine.Snapshot().Generation, "name", a.Name, "saved", a.Save && a.For == 0)
	o := p.outcomeLocked(d)
	if !a.Save {
		o.Note = p.fileNote()
	}
	return o
}

// mayApplyLocked returns why a is refused before it is looked at. The caller must hold p.mu.
func (p *Process) mayApplyLocked(a admin.Application) *admin.Outcome {
	refuse := func(status int, text string) *admin.Outcome {
		o := p.refusedLocked(status, errors.New(text))
		return &o
	}
	if err := p.refusesLocked(); err != nil {
		return refuse(http.StatusConflict, err.Error())
	}
	switch {
	case a.IfMatch != "" && a.IfMatch != p.etagLocked():
		return refuse(http.StatusPreconditionFailed, "another config has come into force meanwhile: look at it, and try again with its ETag")
	case p.trial != nil:
		return refuse(http.StatusConflict, "a config is on trial: confirm it, or roll back, first")
	}
	return nil
}

// sentConfig is how a text is read that somebody sent: as if it stood beside the config file.
func (p *Process) sentConfig(name string, text []byte) func(*config.Decoder) *config.Config {
	src := config.Disk().In(filepath.Dir(absolute(p.program.File)), name, text)
	return func(d *config.Decoder) *config.Config { return config.Load(d, src, name) }
}

// fileNote says what a config that is not saved means for the file.
func (p *Process) fileNote() string {
	if p.program.File == "" {
		return "no file holds this config: it ends with the process"
	}
	return p.program.File + " is not changed: a reload or a restart brings it back"
}

// after is time.AfterFunc; tests have another one.
type after func(d time.Duration, f func()) (stop func() bool)

func realAfter(d time.Duration, f func()) (stop func() bool) { return time.AfterFunc(d, f).Stop }

// beginTrialLocked gives the config in force its time. The caller must hold p.mu.
func (p *Process) beginTrialLocked(a admin.Application) {
	t := &trial{save: a.Save}
	until := time.Now().Add(a.For)
	p.trial = t
	p.trialEnd.Store(&until)
	t.stop = p.after(a.For, func() { p.expire(t) })
	p.log.Info("a config is on trial", "until", until, "generation", p.engine.Snapshot().Generation)
}

// endTrialLocked forgets the trial, if there is one. The caller must hold p.mu.
func (p *Process) endTrialLocked() {
	if p.trial != nil {
		p.trial.stop()
	}
	p.trial = nil
	p.trialEnd.Store(nil)
}

// expire ends a trial that nobody has confirmed.
func (p *Process) expire(t *trial) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trial != t || p.ended {
		return
	}
	if err := p.goBackLocked(); err != nil {
		p.log.Error("nobody has confirmed the config on trial, and the one before can't come back yet; it is tried again", "error", err, "after", expireAgain)
		t.stop = p.after(expireAgain, func() { p.expire(t) })
		return
	}
	p.log.Warn("nobody has confirmed the config on trial: the one before is back", "generation", p.engine.Snapshot().Generation)
	o := p.outcomeLocked(nil)
	o.Note = "nobody has confirmed the config on trial: the one before is back"
	p.tell("rolled back", o)
}

// expireAgain is how long after a trial the config before is tried again, if it could not come back: another process may have taken its port.
const expireAgain = 5 * time.Second

// confirm ends a trial: its config stays.
func (p *Process) confirm() admin.Outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trial == nil {
		return p.refusedLocked(http.StatusConflict, errors.New("no config is on trial"))
	}
	if p.trial.save {
		if err := p.writeLocked(p.inForce.Load().text); err != nil {
			return p.refusedLocked(http.StatusConflict, fmt.Errorf("the trial goes on: %w", err))
		}
	}
	p.endTrialLocked()
	p.log.Info("the config on trial is confirmed", "generation", p.engine.Snapshot().Generation)
	return p.outcomeLocked(nil)
}

// rollback brings the config before the last change back.
func (p *Process) rollback() admin.Outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.refusesLocked(); err != nil {
		return p.refusedLocked(http.StatusConflict, err)
	}
	if p.prev == nil {
		return p.refusedLocked(http.StatusConflict, errors.New("there is no config to go back to: none was changed since the start or the last rollback"))
	}
	left, onTrial := p.inForce.Load(), p.trial != nil
	if err := p.goBackLocked(); err != nil {
		return p.failedLocked(err)
	}
	p.log.Info("rolled back", "generation", p.engine.Snapshot().Generation)
	o := p.outcomeLocked(nil)
	switch {
	case onTrial, left.sent: // the file does not have what was left
	case p.inForce.Load().sent || p.program.File == "":
		o.Note = p.fileNote()
	default:
		o.Note = p.restoreLocked()
	}
	return o
}

// goBackLocked puts the config before the last change in force: built anew, or, if a file that it names can't be read any more, as it was built then. The caller must hold
// p.mu.
func (p *Process) goBackLocked() error {
	back := *p.prev
	d := &config.Decoder{Features: build.Features()}
	snap := build.Build(d, back.cfg, p.engine.Snapshot(), p.env)
	if d.Failed() {
		p.log.Warn("files that the config names have changed: what was read of them before stays in force")
		again := *back.snap
		again.Generation = p.engine.Snapshot().Generation + 1
		d, snap = &config.Decoder{}, &again
	}
	if err := p.enforceLocked(d, &back, snap); err != nil {
		return err
	}
	p.prev = nil
	return nil
}
