package app

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"sluice/internal/admin"
	"sluice/internal/config"
	"sluice/internal/snapshot"
	"sluice/internal/upstream/resolve"
)

// inForceOf is what a config that was read from files will be once it is in force.
func inForceOf(d *config.Decoder, cfg *config.Config) *inForce {
	next := &inForce{cfg: cfg, files: d.Sources}
	if len(d.Files) > 0 {
		next.text = d.Sources[d.Files[0]]
	}
	return next
}

// Reload reads the config again and applies it: sites, pools, routes, limits, listeners, logs, the admin server. At an error nothing has changed. Log files are opened
// again in any case, so that a program that rotates logs needs no other signal. A trial ends with it: what the file says holds.
func (p *Process) Reload() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.refusesLocked(); err != nil {
		return err
	}
	p.reopenLogs()
	if p.trial != nil {
		p.log.Warn("a reload ends the trial: what the file says holds")
	}
	_, err := p.changeLocked(p.program.Load, false)
	return err
}

// refusesLocked says why no config is taken now, nil if one is. The caller must hold p.mu.
func (p *Process) refusesLocked() error {
	switch {
	case p.ended:
		return errEnding
	case p.succession.underWay():
		return errUpgrading // the new process has the sockets and reads the config
	}
	return nil
}

// changeLocked reads a config and puts it in force; sent says that it is in no file. The decoder has what was wrong with it or likely so. The caller must hold p.mu.
func (p *Process) changeLocked(load func(*config.Decoder) *config.Config, sent bool) (*config.Decoder, error) {
	d, cfg, snap := readInto(load, p.engine.Snapshot(), p.env)
	if cfg == nil || d.Failed() {
		return nil, &ConfigError{d}
	}
	next := inForceOf(d, cfg)
	next.sent = sent
	if err := p.enforceLocked(d, next, snap); err != nil {
		return nil, err
	}
	if !sent {
		p.known = next.text
	}
	return d, nil
}

// enforceLocked puts a config in force. The one before is kept for a rollback. The caller must hold p.mu.
func (p *Process) enforceLocked(d *config.Decoder, next *inForce, snap *snapshot.Snapshot) error {
	prev := p.inForce.Load()
	if next.cfg.Limits.Loops != prev.cfg.Limits.Loops {
		p.log.Warn("limits: loops changes at the next start only")
	}
	if err := p.applyLocked(d, next, snap); err != nil {
		return err
	}
	p.prev = prev
	p.endTrialLocked()
	return nil
}

// applyLocked puts a config in force: what can fail first, and if it does, what was done before is undone. The caller must hold p.mu.
func (p *Process) applyLocked(d *config.Decoder, next *inForce, snap *snapshot.Snapshot) error {
	prev := p.inForce.Load()
	steps := []func(*config.Config) error{
		func(c *config.Config) error { p.log.SetLevel(level(c.Log.Level)); return nil },
		func(c *config.Config) error { return p.log.Switch(processLog(&c.Log)) },
		func(c *config.Config) error { return p.access.Apply(accessSettings(c.Log.Access)) },
		p.applyAdmin,
		func(c *config.Config) error { p.traces.Apply(traceSettings(c.Tracing, p.program.Version)); return nil },
		func(c *config.Config) error { p.limit(&c.Limits); return nil },
		func(*config.Config) error { return p.applySnapshot(snap) },
	}
	for i, step := range steps {
		if err := step(next.cfg); err != nil {
			for _, undo := range steps[:i] {
				if prev != nil {
					_ = undo(prev.cfg) // it worked when prev came into force
				}
			}
			return err
		}
	}
	next.since, next.snap = time.Now(), snap
	p.inForce.Store(next)
	p.resolver.Apply(namesOf(snap), resolverSettings(next.cfg))
	p.countEndpoints(next.cfg, snap)
	p.warn(d)
	return nil
}

// applySnapshot starts the engine, or gives it a further snapshot.
func (p *Process) applySnapshot(snap *snapshot.Snapshot) error {
	if p.inForce.Load() == nil {
		return p.engine.Start(snap)
	}
	return p.engine.Apply(snap)
}

// limit bounds the connections of clients.
func (p *Process) limit(l *config.Limits) {
	p.engine.Limit(connectionsMax(l.Connections, descriptorsMax()), l.ConnectionsPerAddress)
}

// connectionsMax is how many clients may be connected. Where the config sets no limit, it is as many as there are descriptors for: half of them, since each
// connection may need one to an origin, but for some that logs, the admin server and reloads need. descriptors is 0 if it is not known.
func connectionsMax(setting, descriptors int) int {
	if setting > 0 || descriptors == 0 {
		return setting
	}
	return max((descriptors-descriptorsKept)/2, connectionsLeast)
}

const (
	descriptorsKept  = 256 // not for connections
	connectionsLeast = 16
)

// applyAdmin has the admin server listen where the config says. If that is the default socket, it is not worth a refusal: another Sluice may be running.
func (p *Process) applyAdmin(cfg *config.Config) error {
	s := adminSettings(cfg.Admin)
	err := p.admin.Apply(s)
	if err != nil && s.Listen == "" {
		p.log.Warn("the admin socket is not available", "error", err)
		return nil
	}
	return err
}

// adminSettings translates the config of the admin server; nil is none.
func adminSettings(a *config.Admin) admin.Settings {
	if a == nil {
		return admin.Settings{Listen: admin.Off}
	}
	s := admin.Settings{Token: a.Token, Profiles: a.Profiles}
	if a.Listen != nil {
		s.Listen = cmp.Or(a.Listen.Path, a.Listen.HostPort())
	}
	if a.TLS != nil {
		s.CertFile, s.KeyFile = a.TLS.Cert, a.TLS.Key
	}
	if a.Metrics.Address != nil {
		s.Metrics = a.Metrics.Address.HostPort()
	}
	return s
}

func level(l config.Level) (level slog.Level) {
	_ = level.UnmarshalText([]byte(l)) // the config allows only words that it knows
	return level
}

// namesOf are the names that have to be looked up.
func namesOf(snap *snapshot.Snapshot) (names []string) {
	for _, p := range snap.Pools {
		for _, ep := range p.Endpoints {
			name := string(ep.Name)
			if _, err := netip.ParseAddr(name); name != "" && err != nil {
				names = append(names, name)
			}
		}
	}
	return names
}

// resolverSettings takes the shortest of the pools' times: there is one resolver for all of them.
func resolverSettings(cfg *config.Config) resolve.ResolverSettings {
	s := resolve.DefaultResolverSettings()
	first := true
	for pool := range pools(cfg) {
		if every := time.Duration(pool.Resolve); first || every < s.Every {
			s.Every, first = every, false
		}
	}
	return s
}

// pools are the pools that sites and routes send to. One that several send to comes several times.
func pools(cfg *config.Config) func(yield func(*config.Pool) bool) {
	return func(yield func(*config.Pool) bool) {
		for _, site := range cfg.Sites {
			if site.To != nil && site.To.Pool != nil && !yield(site.To.Pool) {
				return
			}
			for _, r := range site.Routes {
				if r.To != nil && r.To.Pool != nil && !yield(r.To.Pool) {
					return
				}
			}
		}
	}
}

// warn logs what is likely not meant.
func (p *Process) warn(d *config.Decoder) {
	for _, diag := range d.Diagnostics {
		if diag.Severity == config.Warning {
			p.log.Warn("config", "at", place(diag.Pos), "warning", diag.Code, "text", diag.Text, "source", d.Source(diag), "suggestion", diag.Suggestion)
		}
	}
}

func place(pos config.Pos) string {
	return strings.TrimSuffix(fmt.Sprintf("%s:%d:%d", pos.File, pos.Line, pos.Column), ":0:0")
}
