package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sluice/internal/admin"
	"sluice/internal/config"
	"sluice/internal/upstream"
)

// adminSources is what the admin server shows.
func (p *Process) adminSources() admin.Sources {
	return admin.Sources{Status: p.status, Metrics: p.writeMetrics, Reload: p.reloadForAdmin, Log: p.log.Logger}
}

func (p *Process) writeMetrics(w io.Writer) error {
	if now := p.inForce.Load(); now == nil || now.cfg.Admin == nil || !now.cfg.Admin.Metrics {
		_, err := fmt.Fprintln(w, "# metrics are off (admin: metrics)")
		return err
	}
	return p.set.WriteText(w)
}

// reloadForAdmin is a reload with its outcome as data.
func (p *Process) reloadForAdmin() admin.Reload {
	var outcome admin.Reload
	if err := p.reload(); err != nil {
		outcome.Error = err.Error()
		var bad *ConfigError
		if errors.As(err, &bad) {
			var messages strings.Builder
			_ = bad.Decoder.Render(&messages, false)
			outcome.Messages = messages.String()
		}
	}
	outcome.Generation = p.engine.Snapshot().Generation
	return outcome
}

// status is what the process tells about itself.
func (p *Process) status() admin.Status {
	s := admin.Status{
		Version: p.program.Version, PID: os.Getpid(), Started: p.started, UptimeSeconds: time.Since(p.started).Seconds(),
		Config: p.program.File, Draining: p.engine.Draining(),
	}
	for i, stat := range p.engine.Stats() {
		s.Loops = append(s.Loops, admin.Loop{ID: i, Connections: stat.Conns, Tasks: stat.Tasks})
	}
	for _, address := range p.engine.Addresses() {
		s.Listeners = append(s.Listeners, admin.Listener{Address: address})
	}
	now, snap := p.inForce.Load(), p.engine.Snapshot()
	if now == nil { // asked while the process starts
		return s
	}
	s.Generation, s.Applied, s.Sites = snap.Generation, now.since, len(now.cfg.Sites)
	weights := weightsOf(now.cfg)
	for _, pool := range snap.Pools {
		shown := admin.Pool{Name: pool.Name}
		for _, ep := range pool.Endpoints {
			shown.Endpoints = append(shown.Endpoints, endpointStatus(ep, weights[endpointName{pool.Name, ep.Address}]))
		}
		s.Pools = append(s.Pools, shown)
	}
	return s
}

func endpointStatus(ep *upstream.Endpoint, weight int) admin.Endpoint {
	open, idle := ep.Client.Open(), int64(ep.Client.Idle())
	return admin.Endpoint{
		Address: ep.Address, State: "up", Weight: weight, Connections: open, Idle: idle, Active: max(open-idle, 0),
		Requests: ep.Attempts.Load(), Failures: ep.Failures.Load(),
	}
}

// weightsOf are the weights of the servers. An endpoint does not know its own: it belongs to its balancer.
func weightsOf(cfg *config.Config) map[endpointName]int {
	weights := map[endpointName]int{}
	for pool := range pools(cfg) {
		for i := range pool.Servers {
			s := &pool.Servers[i]
			weights[endpointName{pool.Name, s.Address.String()}] = s.Weight
		}
	}
	return weights
}
