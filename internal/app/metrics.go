package app

import (
	"slices"
	"strconv"

	"sluice/internal/config"
	"sluice/internal/downstream/h1"
	"sluice/internal/loop"
	"sluice/internal/observe"
	"sluice/internal/observe/metric"
	"sluice/internal/snapshot"
	"sluice/internal/upstream"
)

// countProcess makes the metrics of what there is as long as the process runs. All are read where they are counted, when somebody asks.
func (p *Process) countProcess() {
	observe.Process(p.set, p.program.Version, p.started)
	for id := range p.engine.Drivers() {
		name := metric.Label{Name: "loop", Value: strconv.Itoa(id)}
		stat := func(of func(loop.Stat) float64) func() float64 {
			return func() float64 { return of(p.engine.Stats()[id]) }
		}
		p.set.GaugeFunc("sluice_connections", "Connections of clients, quiet ones too.", stat(func(s loop.Stat) float64 { return float64(s.Conns) }), name)
		p.set.GaugeFunc("sluice_loop_tasks", "Tasks at work: exchanges, and second tasks of theirs.", stat(func(s loop.Stat) float64 { return float64(s.Tasks) }), name)
		p.set.CounterFunc("sluice_loop_turns_total", "Rounds of a loop.", stat(func(s loop.Stat) float64 { return float64(s.Turns) }), name)
		p.set.CounterFunc("sluice_loop_panics_total", "Tasks that ended in a panic: faults of Sluice.", stat(func(s loop.Stat) float64 { return float64(s.Panics) }), name)
		p.set.CounterFunc("sluice_loop_stalls_total", "Times that a loop was found standing still: faults of Sluice.",
			stat(func(s loop.Stat) float64 { return float64(s.Stalls) }), name)
	}
	gate := &p.engine.gate
	refused := func(limit string, count func() int64) {
		p.set.CounterFunc("sluice_limits_reached_total", "How often a limit was reached.", func() float64 { return float64(count()) },
			metric.Label{Name: "limit", Value: limit})
	}
	refused("limits.connections", gate.RefusedAll.Load)
	refused("limits.connections_per_address", gate.RefusedAddress.Load)
	p.countConnections()
	p.countReloads()
}

// countConnections makes the metrics of clients' connections and what goes on in them.
func (p *Process) countConnections() {
	number := func(of func() int64) func() float64 { return func() float64 { return float64(of()) } }
	p.set.CounterFunc("sluice_connections_accepted_total", "Connections of clients that there was room for.", number(p.engine.gate.Accepted.Load))
	for _, end := range h1.Ends() {
		p.set.CounterFunc("sluice_connections_ended_total", "Connections of clients that have ended, by why.",
			number(func() int64 { return p.engine.h1.Ended(end) }), metric.Label{Name: "reason", Value: end.String()})
	}
	p.set.GaugeFunc("sluice_exchanges", "Exchanges under way, tunnels too.", number(p.engine.h1.Exchanges))
	p.set.GaugeFunc("sluice_tunnels", "Connections of clients that are tunnels now, after an upgrade.", number(p.engine.h1.Tunnels))
}

// countReloads makes the metrics of the config.
func (p *Process) countReloads() {
	p.set.GaugeFunc("sluice_config_generation", "Number of the config in force; each reload makes one more.", func() float64 {
		if snap := p.engine.Snapshot(); snap != nil {
			return float64(snap.Generation)
		}
		return 0
	})
	p.set.GaugeFunc("sluice_config_applied_timestamp_seconds", "When the config in force was applied, in Unix time.", func() float64 {
		if now := p.inForce.Load(); now != nil {
			return float64(now.since.UnixMilli()) / 1e3
		}
		return 0
	})
	p.reloads("done")
	p.reloads("refused")
	p.lastReload().Set(1)
}

// countReload counts what became of a reload.
func (p *Process) countReload(err error) {
	if err != nil {
		p.reloads("refused").Add(0, 1)
		p.lastReload().Set(0)
		return
	}
	p.reloads("done").Add(0, 1)
	p.lastReload().Set(1)
}

func (p *Process) reloads(result string) *metric.Counter {
	return p.set.Counter("sluice_config_reloads_total", "Reloads by their outcome.", metric.Label{Name: "result", Value: result})
}

func (p *Process) lastReload() *metric.Gauge {
	return p.set.Gauge("sluice_config_last_reload_successful", "1 if the last reload, or else the start, put its config in force; 0 if it was refused.")
}

// Stats is what each driver tells about itself.
func (e *Engine) Stats() []loop.Stat {
	if stats := e.crew.stats(); stats != nil {
		return stats
	}
	return []loop.Stat{{Conns: e.gate.Open()}}
}

// States of an endpoint.
const (
	stateUp       = "up"
	stateDraining = "draining"
)

// endpointStates are all states that endpointState returns.
var endpointStates = [...]string{stateUp, stateDraining}

// endpointState is the state of an endpoint, for metrics and status.
func endpointState(ep *upstream.Endpoint) string {
	if ep.Rotation.Draining.Load() {
		return stateDraining
	}
	return stateUp
}

// An endpointName is what metrics and status call an endpoint. Two pools that are written in place with the same address are one there.
type endpointName struct{ pool, address string }

// countEndpoints makes the metrics of the snapshot's endpoints, and drops those of what is gone.
func (p *Process) countEndpoints(cfg *config.Config, snap *snapshot.Snapshot) {
	p.retain(cfg, snap)
	byName := map[endpointName][]*upstream.Endpoint{}
	for _, pool := range snap.Pools {
		for _, ep := range pool.Endpoints {
			name := endpointName{pool.Name, ep.Address}
			if !slices.Contains(byName[name], ep) {
				byName[name] = append(byName[name], ep)
			}
		}
	}
	for name, all := range byName {
		labels := metric.Labels{{Name: "pool", Value: name.pool}, {Name: "endpoint", Value: name.address}}
		sum := func(of func(*upstream.Endpoint) int64) func() float64 {
			return func() (n float64) {
				for _, ep := range all {
					n += float64(of(ep))
				}
				return n
			}
		}
		p.set.CounterFunc("sluice_endpoint_attempts_total", "Exchanges that were tried at an endpoint.",
			sum(func(ep *upstream.Endpoint) int64 { return ep.Attempts.Load() }), labels...)
		p.set.CounterFunc("sluice_endpoint_failures_total", "Attempts that ended in an error of the endpoint.",
			sum(func(ep *upstream.Endpoint) int64 { return ep.Failures.Load() }), labels...)
		p.set.CounterFunc("sluice_endpoint_waits_total", "Times that an exchange had to wait, because an endpoint had as many connections as it may have.",
			sum(func(ep *upstream.Endpoint) int64 { return ep.Client.Waited() }), labels...)
		p.set.GaugeFunc("sluice_endpoint_queue", "Exchanges that wait for a connection to an endpoint now.",
			sum(func(ep *upstream.Endpoint) int64 { return ep.Client.Waiting() }), labels...)
		for _, state := range endpointStates {
			p.set.GaugeFunc("sluice_endpoint_state", "1 for the state that an endpoint is in, 0 for the others.", func() float64 {
				if endpointState(all[0]) == state {
					return 1
				}
				return 0
			}, append(labels[:len(labels):len(labels)], metric.Label{Name: "state", Value: state})...)
		}
		p.set.GaugeFunc("sluice_endpoint_connections", "Open connections to an endpoint, idle ones too.",
			sum(func(ep *upstream.Endpoint) int64 { return ep.Client.Open() }), labels...)
		p.set.GaugeFunc("sluice_endpoint_idle_connections", "Connections to an endpoint that wait for a request.",
			sum(func(ep *upstream.Endpoint) int64 { return int64(ep.Client.Idle()) }), labels...)
	}
}

// retain drops the series of sites and pools that are gone.
func (p *Process) retain(cfg *config.Config, snap *snapshot.Snapshot) {
	sites, pools, endpoints := map[string]bool{"": true}, map[string]bool{}, map[endpointName]bool{}
	for _, s := range cfg.Sites {
		sites[s.Key.Value] = true
	}
	for _, pool := range snap.Pools {
		pools[pool.Name] = true
		for _, ep := range pool.Endpoints {
			endpoints[endpointName{pool.Name, ep.Address}] = true
		}
	}
	p.env.Metrics.Retain(sites, pools)
	p.set.Retain(func(_ string, labels metric.Labels) bool {
		if site, ok := labels.Get("site"); ok && !sites[site] {
			return false
		}
		pool, ok := labels.Get("pool")
		if endpoint, hasEndpoint := labels.Get("endpoint"); hasEndpoint {
			return endpoints[endpointName{pool, endpoint}]
		}
		return !ok || pools[pool]
	})
}
