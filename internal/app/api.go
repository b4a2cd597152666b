package app

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"sluice/internal/admin"
	"sluice/internal/config"
	"sluice/internal/observe/metric"
	"sluice/internal/snapshot"
	"sluice/internal/upstream"
)

// adminSources is what the admin server shows and does.
func (p *Process) adminSources() admin.Sources {
	told := func(what string, do func() admin.Outcome) func() admin.Outcome {
		return func() admin.Outcome {
			o := do()
			p.tell(what, o)
			return o
		}
	}
	return admin.Sources{
		Status: p.status, Connections: p.engine.connections, Metrics: p.writeMetrics, Config: p.configInForce, Check: p.check, Diff: p.diff, Reload: p.reloadForAdmin, Upgrade: p.upgradeForAdmin, Rotate: p.rotate,
		Apply: func(a admin.Application) admin.Outcome {
			o := p.apply(a)
			p.tell("applied", o)
			return o
		},
		Confirm: told("confirmed", p.confirm), Rollback: told("rolled back", p.rollback),
		Figures: p.figures,
		Follow:  func(queue int) (admin.Follower, error) { return p.access.Follow(queue) },
		Log:     p.log.Logger, Inherited: p.program.Inherited.listener,
	}
}

func (p *Process) writeMetrics(w io.Writer, f metric.Format) error {
	if now := p.inForce.Load(); now == nil || now.cfg.Admin == nil || !now.cfg.Admin.Metrics.On {
		if f == metric.OpenMetrics { // it knows no comments
			return metric.NewSet(1).Write(w, f)
		}
		_, err := fmt.Fprintln(w, "# metrics are off (admin: metrics)")
		return err
	}
	return p.set.Write(w, f)
}

// tell publishes what came of a change, and logs what was refused.
func (p *Process) tell(what string, o admin.Outcome) {
	if o.Error != "" {
		p.log.Warn("a change of the config is refused", "why", strings.TrimSpace(o.Error))
		what = "refused"
	}
	p.admin.Publish(admin.KindConfig, map[string]any{"what": what, "outcome": o})
}

// etagLocked is the version of the config in force: that of another process never has the same. The caller must hold p.mu.
func (p *Process) etagLocked() string {
	return fmt.Sprintf("%x-%d", p.started.UnixMilli(), p.engine.Snapshot().Generation)
}

// outcomeLocked is that of what was done; d has what is likely wrong with the config, and may be nil. The caller must hold p.mu.
func (p *Process) outcomeLocked(d *config.Decoder) admin.Outcome {
	o := admin.Outcome{Generation: p.engine.Snapshot().Generation, ETag: p.etagLocked(), Until: p.trialEnd.Load()}
	judge(&o, d)
	return o
}

// refusedLocked is the outcome of what was not done. The caller must hold p.mu.
func (p *Process) refusedLocked(status int, err error) admin.Outcome {
	o := p.outcomeLocked(nil)
	o.Status, o.Error = status, err.Error()
	return o
}

// failedLocked is the outcome of a config that could not be put in force. The caller must hold p.mu.
func (p *Process) failedLocked(err error) admin.Outcome {
	o := p.refusedLocked(http.StatusUnprocessableEntity, err)
	if bad, ok := errors.AsType[*ConfigError](err); ok {
		judge(&o, bad.Decoder)
	}
	return o
}

// judge fills in what is to be said of a config.
func judge(o *admin.Outcome, d *config.Decoder) {
	if d == nil {
		return
	}
	var messages strings.Builder
	_ = d.Render(&messages, false)
	o.Messages = messages.String()
	for _, diag := range d.Diagnostics {
		o.Diagnostics = append(o.Diagnostics, admin.Diagnostic{
			Severity: diag.Severity.String(), Code: diag.Code, File: diag.Pos.File, Line: diag.Pos.Line, Column: diag.Pos.Column, Text: diag.Text, Suggestion: diag.Suggestion,
		})
	}
}

// reloadForAdmin is a reload with its outcome as data.
func (p *Process) reloadForAdmin() admin.Outcome {
	err := p.reload()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case errors.Is(err, errEnding), errors.Is(err, errUpgrading):
		return p.refusedLocked(http.StatusConflict, err)
	case err != nil:
		return p.failedLocked(err)
	}
	return p.outcomeLocked(nil)
}

// upgradeForAdmin is an upgrade with its outcome as data.
func (p *Process) upgradeForAdmin() admin.Outcome {
	err := p.Upgrade()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		return p.refusedLocked(http.StatusConflict, err)
	}
	return p.outcomeLocked(nil)
}

// configInForce is the config for people and programs.
func (p *Process) configInForce() admin.ConfigInForce {
	p.mu.Lock()
	defer p.mu.Unlock()
	cfg := p.inForce.Load().cfg
	tree := func(merged bool) *config.Node {
		if merged {
			return cfg.Merged()
		}
		return cfg.Root
	}
	return admin.ConfigInForce{
		ETag: p.etagLocked(),
		JSON: func(merged bool) []byte { return tree(merged).JSON() },
		YAML: func(merged bool) []byte { return []byte(tree(merged).YAML()) },
	}
}

// check says what is wrong with a config.
func (p *Process) check(name string, text []byte) admin.Outcome {
	d, cfg, _ := Read(p.sentConfig(name, text))
	p.mu.Lock()
	defer p.mu.Unlock()
	if cfg == nil || d.Failed() {
		return p.failedLocked(&ConfigError{d})
	}
	return p.outcomeLocked(d)
}

// diff says what a config would change; without a text, what a reload would.
func (p *Process) diff(name string, text []byte) admin.Difference {
	load := p.sentConfig(name, text)
	if len(text) == 0 {
		load = p.program.Load
	}
	d, cfg, snap := Read(load)
	p.mu.Lock()
	defer p.mu.Unlock()
	if cfg == nil || d.Failed() {
		return admin.Difference{Outcome: p.failedLocked(&ConfigError{d})}
	}
	diff := admin.Difference{Connections: p.engine.Connections(), Outcome: p.outcomeLocked(d)}
	for _, c := range config.Diff(p.inForce.Load().cfg.Merged(), cfg.Merged()) {
		diff.Changes = append(diff.Changes, admin.Change{Path: c.Path, Old: c.Old, New: c.New, At: place(c.At), Text: c.String()})
	}
	diff.Opens, diff.Closes = p.engine.wouldListen(snap.Listeners)
	diff.Retires = retired(p.engine.Snapshot(), snap)
	return diff
}

// retired are the endpoints that only prev has.
func retired(prev, next *snapshot.Snapshot) (gone []admin.Endpoint) {
	kept := map[endpointName]bool{}
	for _, pool := range next.Pools {
		for _, ep := range pool.Endpoints {
			kept[endpointName{pool.Name, ep.Address}] = true
		}
	}
	for _, pool := range prev.Pools {
		for _, e := range endpointsOf(pool) {
			if !kept[endpointName{pool.Name, e.Address}] {
				gone = append(gone, e)
			}
		}
	}
	return gone
}

// rotate changes the share of an endpoint.
func (p *Process) rotate(name, address string, r admin.Rotation) (changed []admin.Endpoint, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := false
	for _, pool := range p.engine.Snapshot().Pools {
		i := slices.IndexFunc(pool.Endpoints, func(ep *upstream.Endpoint) bool { return ep.Address == address })
		known = known || pool.Name == name
		if pool.Name != name || i < 0 {
			continue
		}
		turn(pool.Endpoints[i].Rotation, r)
		pool.Balance()
		changed = append(changed, endpointsOf(pool)[i])
	}
	if len(changed) == 0 {
		if known {
			return nil, fmt.Errorf("pool %q has no server %q", name, address)
		}
		return nil, fmt.Errorf("there is no pool %q", name)
	}
	for _, e := range changed {
		p.log.Info("a server's share is changed", "pool", e.Pool, "server", e.Address, "state", e.State, "weight", e.Weight)
		p.admin.Publish(admin.KindEndpoint, e)
	}
	return changed, nil
}

// turn does to an endpoint what r says.
func turn(at *upstream.Rotation, r admin.Rotation) {
	if r.Draining != nil {
		at.Draining.Store(*r.Draining)
	}
	if r.Weight != nil {
		at.Weight.Store(int32(*r.Weight))
	}
}
