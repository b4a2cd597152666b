// Package app puts the parts together: it reads the config, opens what has a socket, a goroutine or a timer, tells all of it of a new config, and ends it in
// order.
//
// An Engine is the way of a request with its listening sockets: drivers, codecs, the snapshot in force. A Process is an engine with the services beside it:
// logs, metrics, admin server, resolver. What an exchange goes through is serve's; what a config means is build's.
//
// It is the only package that knows every service. It reads no command line and ends no process: that is cli's.
package app

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/admin"
	"sluice/internal/build"
	"sluice/internal/config"
	"sluice/internal/observe"
	"sluice/internal/observe/accesslog"
	"sluice/internal/observe/errlog"
	"sluice/internal/observe/metric"
	"sluice/internal/observe/trace"
	"sluice/internal/snapshot"
	"sluice/internal/upstream/resolve"
)

// A Program says what a process is to run.
type Program struct {
	// Load reads the config: at the start, and again at each reload. It returns nil if there is nothing that could be decoded; d has the reasons.
	Load func(d *config.Decoder) *config.Config
	// File is the config's path. "" says that there is no file: then SIGHUP ends the process like SIGTERM, since there is nothing to read again.
	File string
	// Version is the build's, for metrics and status.
	Version string
	// Driver says who runs the tasks.
	Driver Driver
	// Inherited is what the process was given at its start. Nil is nothing, and that it can't be upgraded while it runs.
	Inherited *Inherited
}

// A ConfigError says that a config is not fit for use. The decoder has what is wrong with it.
type ConfigError struct{ Decoder *config.Decoder }

// Error implements error.
func (e *ConfigError) Error() string {
	for _, diag := range e.Decoder.Diagnostics {
		if diag.Severity == config.Error {
			return "the config can't be used: " + diag.Text
		}
	}
	return "the config can't be used"
}

// Read loads and builds a config without opening anything: the config test. The config and the snapshot are nil if there was nothing that could be decoded, and must
// not be used if d.Failed. A fault of the program itself becomes a diagnostic: no config may end a process that runs.
func Read(load func(d *config.Decoder) *config.Config) (d *config.Decoder, cfg *config.Config, snap *snapshot.Snapshot) {
	return readInto(load, nil, build.Env{Loops: 1, ReadFile: config.Disk().ReadFile})
}

// readInto is Read for a snapshot that is to come into force after prev.
func readInto(load func(d *config.Decoder) *config.Config, prev *snapshot.Snapshot, env build.Env) (d *config.Decoder, cfg *config.Config, snap *snapshot.Snapshot) {
	d = &config.Decoder{Features: build.Features()}
	defer d.Accept()
	defer func() {
		if reason := recover(); reason != nil {
			d.Hintf(nil, "internal", "please report it with the config", "Sluice can't read this config, which is a fault of its own: %v\n%s", reason, debug.Stack())
		}
	}()
	cfg = load(d)
	if cfg != nil {
		snap = build.Build(d, cfg, prev, env)
	}
	return d, cfg, snap
}

// read is Read with an error instead of a decoder that failed.
func read(load func(d *config.Decoder) *config.Config) (*config.Decoder, *config.Config, error) {
	d, cfg, _ := Read(load)
	if cfg == nil || d.Failed() {
		return nil, nil, &ConfigError{d}
	}
	return d, cfg, nil
}

// A Process is a running Sluice. Its methods may be called from any goroutine, but not from tasks.
type Process struct {
	program  Program
	started  time.Time
	log      *errlog.Log
	set      *metric.Set
	access   *accesslog.Log
	after    after
	traces   *trace.Tracer
	resolver *resolve.Resolver
	admin    *admin.Server
	engine   *Engine
	env      build.Env

	inForce  atomic.Pointer[inForce]   // nil before the first config
	trialEnd atomic.Pointer[time.Time] // when the trial ends, nil if there is none

	succession succession
	pulse      pulse

	ending   atomic.Bool // a signal or a successor has ended Wait's wait
	stopOnce sync.Once

	mu    sync.Mutex // keeps Start, Stop and changes of the config apart
	ended bool       // Stop has been called, or another process has taken over; guarded by mu
	prev  *inForce   // what was in force before, nil if nothing was or it was gone back to; guarded by mu
	trial *trial     // nil if the config in force is there to stay; guarded by mu
	known []byte     // the config file's text when it was last read or written; guarded by mu
}

// inForce is the config that the process follows. It does not change.
type inForce struct {
	cfg   *config.Config
	since time.Time
	snap  *snapshot.Snapshot // built from it
	files map[string][]byte  // what it was read from, by name
	text  []byte             // of the first of them, or as it was sent
	sent  bool               // it came over the admin API and is in no file
}

// Start starts a process. The error is a *ConfigError, or says what could not be opened. A process whose place this one takes is told how it went.
func Start(program Program) (*Process, error) {
	p, err := start(program)
	if err == nil {
		p.serving()
	}
	program.Inherited.report(err)
	return p, err
}

func start(program Program) (*Process, error) {
	d, cfg, err := read(program.Load)
	if err != nil {
		return nil, err
	}
	p := &Process{program: program, started: time.Now(), after: realAfter}
	p.succession.replaced, p.succession.limit = make(chan struct{}), readyLimit
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.openLocked(d, cfg); err != nil {
		if p.admin != nil && program.Inherited.takesOver() {
			p.admin.Disown() // the process before goes on, with its socket
		}
		p.closeLocked()
		return nil, err
	}
	p.log.Info("started", "version", program.Version, "config", program.File, "sites", len(cfg.Sites), "loops", p.engine.Drivers())
	return p, nil
}

// openLocked makes all services, which do nothing yet, and applies the first config. The caller must hold p.mu.
func (p *Process) openLocked(d *config.Decoder, cfg *config.Config) (err error) {
	drivers := driversOf(p.program.Driver, cfg)
	if p.program.Driver == Native {
		makePlaces(drivers)
	}
	p.set = metric.NewSet(drivers)
	p.log = errlog.New(os.Stderr, false, slog.LevelInfo, p.set)
	if p.engine, err = NewEngine(Options{Driver: p.program.Driver, Loops: drivers, Log: p.log.Logger, Inherited: p.program.Inherited.legacy()}); err != nil {
		return err
	}
	if p.access, err = accesslog.New(accesslog.Settings{}, p.accessReports(), p.engine.Drivers(), p.set); err != nil {
		return err
	}
	p.traces = trace.New(trace.Options{Loops: p.engine.Drivers(), Set: p.set, Report: p.reportTraces})
	p.resolver = resolve.NewResolver(lookUp, resolve.DefaultResolverSettings(), p.reportName)
	if p.admin, err = admin.New(admin.Settings{Listen: admin.Off}, p.adminSources()); err != nil {
		return err
	}
	p.env = build.Env{
		Loops: p.engine.Drivers(), Metrics: observe.NewMetrics(p.set), Access: p.access, Traces: p.traces, Resolver: p.resolver, ReadFile: config.Disk().ReadFile,
	}
	p.countProcess()
	snap := build.Build(d, cfg, nil, p.env)
	if d.Failed() { // a file has changed since it was read
		return &ConfigError{d}
	}
	first := inForceOf(d, cfg)
	p.known = first.text
	return p.applyLocked(d, first, snap)
}

// processors is how many the process may use.
var processors = runtime.GOMAXPROCS(0)

// driversOf is how many drivers there will be: as many loops as processors, unless the config says otherwise.
func driversOf(d Driver, cfg *config.Config) int {
	if d == Goroutines {
		return 1
	}
	return cmp.Or(cfg.Limits.Loops, processors)
}

// makePlaces gives that many drivers their places in Go's scheduler. Several loops get one more than there are loops, for all that is no loop:
// docs/adr/0004-how-a-loop-waits.md.
func makePlaces(drivers int) {
	if drivers > 1 {
		drivers++
	}
	runtime.GOMAXPROCS(drivers)
}

func lookUp(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

// reportName is told by the resolver how look-ups go.
func (p *Process) reportName(name string, err error) {
	if err != nil {
		p.log.Warn("a server's name can't be looked up", "name", name, "error", err)
		return
	}
	p.log.Info("a server's name can be looked up again", "name", name)
}

// Addresses are where the process listens for clients, sorted.
func (p *Process) Addresses() []string { return p.engine.Addresses() }

// Log is the process's own log.
func (p *Process) Log() *slog.Logger { return p.log.Logger }

// Stop ends the process: exchanges that run may go on until ctx is done. If another process has taken over, so may connections between exchanges: there is no way to
// close one of them without the risk that a request is on its way.
func (p *Process) Stop(ctx context.Context) {
	p.succession.stop()
	p.mu.Lock()
	p.ended = true // whoever asks for a change while exchanges finish is refused at once
	p.endTrialLocked()
	p.mu.Unlock()
	p.stopOnce.Do(func() { p.stop(ctx) })
}

func (p *Process) stop(ctx context.Context) {
	grace := idleGrace
	if deadline, ok := ctx.Deadline(); ok && p.succession.done() {
		grace = max(time.Until(deadline)-idleGrace, 0)
	}
	if cut := p.engine.Stop(ctx, grace); cut > 0 {
		p.log.Warn("connections were cut off", "connections", cut)
	}
	p.log.Info("stopped")
	p.pulse.stop()
	_ = p.admin.Close() // its requests may wait for p.mu
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeLocked()
}

// closeLocked ends the services that were made, those that others need last. The engine has stopped. The caller must hold p.mu.
func (p *Process) closeLocked() {
	if p.admin != nil {
		_ = p.admin.Close()
	}
	if p.resolver != nil {
		p.resolver.Close()
	}
	if p.traces != nil {
		p.closeTraces()
	}
	if p.access != nil {
		_ = p.access.Close()
	}
	_ = p.log.Close()
}
