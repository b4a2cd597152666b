package app

import (
	"os"
	"path/filepath"
	"time"

	"sluice/internal/admin"
	"sluice/internal/upstream"
)

// status is what the process tells about itself.
func (p *Process) status() admin.Status {
	s := admin.Status{
		Version: p.program.Version, PID: os.Getpid(), Started: p.started, UptimeSeconds: time.Since(p.started).Seconds(),
		Config: absolute(p.program.File), Draining: p.engine.Draining(),
	}
	for i, stat := range p.engine.Stats() {
		s.Loops = append(s.Loops, admin.Loop{ID: i, Connections: stat.Conns, Tasks: stat.Tasks})
	}
	now, snap := p.inForce.Load(), p.engine.Snapshot()
	s.Listeners = p.engine.listeners()
	if now == nil { // asked while the process starts
		return s
	}
	s.Generation, s.Applied, s.Sites, s.Source = snap.Generation, now.since, len(now.cfg.Sites), "file"
	if now.sent {
		s.Source = "api"
	}
	s.Until = p.trialEnd.Load()
	for _, pool := range snap.Pools {
		s.Pools = append(s.Pools, admin.Pool{Name: pool.Name, Endpoints: endpointsOf(pool)})
	}
	return s
}

// absolute is a path that means the same to who asks from another folder; "" stays.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil && path != "" {
		return full
	}
	return path
}

// endpointsOf tells about the endpoints of a pool.
func endpointsOf(pool *upstream.Pool) (all []admin.Endpoint) {
	for i, ep := range pool.Endpoints {
		open, idle := ep.Client.Open(), int64(ep.Client.Idle())
		e := admin.Endpoint{
			Pool: pool.Name, Address: ep.Address, State: endpointState(ep), Connections: open, Idle: idle, Active: max(open-idle, 0),
			Requests: ep.Attempts.Load(), Failures: ep.Failures.Load(),
		}
		e.Weight, e.WeightByConfig = pool.Weight(i)
		if e.State == stateDraining {
			e.Reason = "an operator has taken it out"
		}
		all = append(all, e)
	}
	return all
}
