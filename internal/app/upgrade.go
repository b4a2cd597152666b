package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"sluice/internal/admin"
	"sluice/internal/downstream/listen"
	"sluice/internal/systemd"
)

const (
	// readyLimit is how long a successor may take until it serves.
	readyLimit = 30 * time.Second
	// reasonBytesMax is how much of a successor's reason for not serving is read.
	reasonBytesMax = 64 << 10
)

// Errors of an upgrade that does not begin.
var (
	errEnding    = errors.New("the process is about to end")
	errUpgrading = errors.New("an upgrade is under way")
)

// A succession is how far a process is with giving its place to another one.
type succession struct {
	replaced chan struct{} // closed when another process has taken over
	limit    time.Duration // until when it must have, from its start

	mu     sync.Mutex
	abort  context.CancelFunc // ends the upgrade that is under way; nil if none is; guarded by mu
	over   chan struct{}      // closed when that one is over; guarded by mu
	ending bool               // no upgrade may begin or succeed any more; guarded by mu
}

// begin returns the context of an upgrade, which lasts until finish is called.
func (s *succession) begin() (context.Context, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return nil, errEnding
	}
	if s.abort != nil {
		return nil, errUpgrading
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	s.abort, s.over = cancel, make(chan struct{})
	return ctx, nil
}

// succeed makes the upgrade final, unless Stop has come before.
func (s *succession) succeed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return errEnding
	}
	s.ending = true
	close(s.replaced)
	return nil
}

func (s *succession) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abort()
	s.abort = nil
	close(s.over)
}

// stop ends an upgrade that is under way, and waits until its process is gone. None begins any more.
func (s *succession) stop() {
	s.mu.Lock()
	s.ending = true
	abort, over := s.abort, s.over
	s.mu.Unlock()
	if abort != nil {
		abort()
		<-over
	}
}

// underWay reports whether an upgrade has begun that is not over.
func (s *succession) underWay() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.abort != nil
}

// done reports whether another process has taken over.
func (s *succession) done() bool {
	select {
	case <-s.replaced:
		return true
	default:
		return false
	}
}

// Upgrade starts the program anew, from the file that is there now, and gives it the listening sockets. When the new process serves, Upgrade returns and Wait ends this
// one, whose exchanges may go on for as long as limits.drain_timeout says. At an error, which tells the new process's reason, this process goes on as before.
func (p *Process) Upgrade() error {
	err := p.upgrade()
	if err != nil {
		p.log.Error("the upgrade has failed; this process goes on", "error", err)
	}
	return err
}

func (p *Process) upgrade() error {
	switch {
	case p.program.Inherited == nil:
		return errors.New("this command can't be upgraded while it runs")
	case os.Getpid() == 1:
		return errors.New("process 1 of a container can't be upgraded: the container ends with it; start a new container")
	}
	ctx, err := p.beginSuccession()
	if err != nil {
		return err
	}
	defer p.succession.finish() // from then on Stop does not wait for us
	next, err := p.startSuccessor()
	if err != nil {
		return fmt.Errorf("the new process can't be started: %w", err)
	}
	if err := next.await(ctx); err != nil {
		return err
	}
	if err := p.succession.succeed(); err != nil {
		_ = next.cmd.Process.Signal(syscall.SIGTERM)
		_ = next.end()
		return err
	}
	go func() { _ = next.cmd.Wait() }() // as long as both run, its end must not leave a zombie
	p.retire(next.cmd.Process.Pid)
	return nil
}

// beginSuccession refuses an upgrade while a config is on trial: the new process would not know of it.
func (p *Process) beginSuccession() (context.Context, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trial != nil {
		return nil, errors.New("a config is on trial: confirm it, or roll back, first")
	}
	if p.inForce.Load().sent {
		p.log.Warn("the config in force is in no file: the new process reads the file")
	}
	return p.succession.begin()
}

// retire leaves to the successor what two processes can't share: the service manager and the admin server.
func (p *Process) retire(pid int) {
	p.log.Info("a new process has taken over", "pid", pid)
	p.program.Inherited.manager.Successor(pid, fmt.Sprintf("process %d has taken over", pid))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.admin.Disown()
	_ = p.admin.Apply(admin.Settings{Listen: admin.Off}) // it opens nothing that could fail
}

// A successor is a process that is to take over.
type successor struct {
	cmd *exec.Cmd
	out *os.File // our end of the pipe on which it tells how it went
}

// startSuccessor starts the program anew, with the sockets.
func (p *Process) startSuccessor() (*successor, error) {
	sockets, files, err := p.legacy()
	defer func() {
		for _, file := range files {
			_ = file.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(legacy{sockets})
	if err != nil {
		return nil, err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	files = append(files, in)
	cmd := exec.Command(p.program.Inherited.program)
	cmd.Args = os.Args
	cmd.Env = append(systemd.Without(os.Environ()), legacyVariable+"="+string(text))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = files
	if err := cmd.Start(); err != nil {
		_ = out.Close()
		return nil, err
	}
	p.log.Info("upgrade: a new process starts", "pid", cmd.Process.Pid, "program", cmd.Path, "sockets", len(sockets))
	return &successor{cmd, out}, nil
}

// legacy is what a successor gets: the sockets that the service manager opened, whether they are in use or not, and those that are in use. The caller closes the files, also
// those that come with an error.
func (p *Process) legacy() (sockets []legacySocket, files []*os.File, err error) {
	p.mu.Lock() // a reload that runs may open and close some
	defer p.mu.Unlock()
	for i, part := range []func() ([]string, []*os.File, error){
		p.program.Inherited.legacy().Activated,
		p.engine.Sockets,
		func() ([]string, []*os.File, error) { return p.admin.Sockets(listen.DuplicateOf) },
	} {
		addresses, more, err := part()
		files = append(files, more...)
		if err != nil {
			return nil, files, err
		}
		for _, address := range addresses {
			sockets = append(sockets, legacySocket{Address: address, Activated: i == 0})
		}
	}
	return sockets, files, nil
}

// await returns when the process serves. At an error it is gone.
func (s *successor) await(ctx context.Context) error {
	defer s.out.Close()
	defer context.AfterFunc(ctx, func() { _ = s.out.SetReadDeadline(time.Unix(1, 0)) })()
	text, err := io.ReadAll(io.LimitReader(s.out, reasonBytesMax))
	if string(text) == ready {
		return nil
	}
	ended := s.end()
	switch {
	case len(text) > 0:
		return fmt.Errorf("the new process gives up: %s", strings.TrimSpace(string(text)))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errors.New("the new process takes too long until it serves")
	case ctx.Err() != nil:
		return errEnding
	case ended != nil:
		return fmt.Errorf("the new process ended before it served: %w", ended)
	case err != nil:
		return err
	}
	return errors.New("the new process ended before it served")
}

// end waits until the process has ended, with force if it takes too long, and returns how it ended.
func (s *successor) end() error {
	defer time.AfterFunc(endGrace, func() { _ = s.cmd.Process.Kill() }).Stop()
	return s.cmd.Wait()
}

// endGrace is how long a successor that is not wanted, or has given up, may take to end.
const endGrace = time.Second
