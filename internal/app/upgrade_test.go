package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// upgradable makes a process's successor a shell script.
func (s *stage) upgradable(script string) {
	s.t.Helper()
	name := filepath.Join(s.folder, "successor")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.p.program.Inherited = &Inherited{program: name}
}

// verdict is a line of a script that tells the process before it how it went: the pipe is the last of four descriptors, behind a listener and the admin socket.
const verdict = ">&5"

func TestAnUpgradeThatFailsChangesNothing(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		o := newOrigin(t, "hello")
		s := newStage(t, d, stageConfig(o.address))
		for script, want := range map[string]string{
			"exit 3":                       "the new process ended before it served: exit status 3",
			"exit 0":                       "the new process ended before it served",
			"kill -9 $$":                   "the new process ended before it served: signal: killed",
			"echo no such luck " + verdict: "the new process gives up: no such luck",
			"printf read " + verdict:       "the new process gives up: read",
			"exec 5>&-; exec sleep 1000":   "the new process ended before it served: signal: killed",
		} {
			s.upgradable(script)
			if err := s.p.Upgrade(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", script, err, want)
			}
			s.ask(200, "hello")
			s.reload(stageConfig(o.address))
			s.admin("/v1/status")
		}
		s.p.program.Inherited = &Inherited{program: filepath.Join(s.folder, "error.log")}
		if err := s.p.Upgrade(); err == nil || !strings.Contains(err.Error(), "the new process can't be started: ") {
			t.Errorf("got %v", err)
		}
		s.wantFile("error.log", "the upgrade has failed; this process goes on")
	})
}

func TestASuccessorHasLimitedTime(t *testing.T) {
	o := newOrigin(t, "hello")
	s := newStage(t, Native, stageConfig(o.address))
	s.p.succession.limit = 50 * time.Millisecond
	s.upgradable("exec sleep 1000")
	if err := s.p.Upgrade(); err == nil || !strings.Contains(err.Error(), "takes too long") {
		t.Errorf("got %v", err)
	}
	s.ask(200, "hello")
}

func TestOneUpgradeAtATimeAndNoReloadMeanwhile(t *testing.T) {
	s := newStage(t, Native, stageConfig("127.0.0.1:1"))
	s.upgradable("read line; exit 1")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin := os.Stdin
	os.Stdin = r
	defer func() { os.Stdin = stdin }()
	failed := make(chan error)
	go func() { failed <- s.p.Upgrade() }()
	eventually(t, "the upgrade is under way", s.p.succession.underWay)
	if err := s.p.Upgrade(); !errors.Is(err, errUpgrading) {
		t.Errorf("a second upgrade: %v", err)
	}
	if err := s.p.Reload(); !errors.Is(err, errUpgrading) {
		t.Errorf("a reload: %v", err)
	}
	w.Close()
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("got %v", err)
	}
	r.Close()
	if err := s.p.Reload(); err != nil {
		t.Errorf("a reload after it: %v", err)
	}
}

func TestStopEndsAnUpgrade(t *testing.T) {
	s := newStage(t, Native, stageConfig("127.0.0.1:1"))
	s.upgradable("exec sleep 1000")
	failed := make(chan error)
	go func() { failed <- s.p.Upgrade() }()
	eventually(t, "the upgrade is under way", s.p.succession.underWay)
	s.p.Stop(context.Background())
	if err := <-failed; !errors.Is(err, errEnding) {
		t.Errorf("got %v", err)
	}
	if err := s.p.Upgrade(); !errors.Is(err, errEnding) {
		t.Errorf("an upgrade of a process that has ended: %v", err)
	}
}

// After a hand-over a quiet connection is not closed: a request may be on its way. It gets an answer, which says that the connection ends.
func TestWhoIsReplacedServesTheConnectionsThatItHas(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d Driver) {
		o := newOrigin(t, "hello")
		s := newStage(t, d, stageConfig(o.address)+"limits: { drain_timeout: 1h }\n")
		quiet := dialClient(t, s.p.Addresses()[0])
		quiet.ask("/")
		quiet.want(200, "hello")
		s.upgradable("echo ready " + verdict)
		signals := MakeSignals()
		ended := make(chan struct{})
		go func() { s.p.Wait(signals); close(ended) }()
		signals.Upgrade <- syscall.SIGUSR2
		eventually(t, "it has been replaced", s.p.succession.done)
		signals.End <- syscall.SIGTERM // meant for the service as a whole: this process is ending already
		eventually(t, "it drains", s.p.engine.Draining)
		s.wantFile("error.log", "stopping: exchanges that run may finish")
		if err := os.Rename(filepath.Join(s.folder, "error.log"), filepath.Join(s.folder, "error.log.1")); err != nil {
			t.Fatal(err)
		}
		signals.Reopen <- syscall.SIGUSR1
		eventually(t, "the log is opened again", func() bool { _, err := os.Stat(filepath.Join(s.folder, "error.log")); return err == nil })
		later := time.After(idleGrace + 200*time.Millisecond) // without a successor it would be closed by now
		<-later
		quiet.ask("/")
		quiet.want(200, "hello")
		quiet.wantEnd()
		<-ended
		if _, err := os.Lstat(filepath.Join(s.folder, "admin.sock")); err != nil {
			t.Errorf("the admin socket belongs to the successor: %v", err)
		}
		if err := s.p.Upgrade(); !errors.Is(err, errEnding) {
			t.Errorf("a second upgrade: %v", err)
		}
	})
}

func TestASecondSignalEndsWhoIsReplacedAtOnce(t *testing.T) {
	s := newStage(t, Native, stageConfig(newOrigin(t, "hello").address)+"limits: { drain_timeout: 1h }\n")
	quiet := dialClient(t, s.p.Addresses()[0])
	quiet.ask("/")
	quiet.want(200, "hello")
	s.upgradable("echo ready " + verdict)
	if err := s.p.Upgrade(); err != nil {
		t.Fatal(err)
	}
	signals := MakeSignals()
	ended := make(chan struct{})
	go func() { s.p.Wait(signals); close(ended) }()
	eventually(t, "it drains", s.p.engine.Draining)
	signals.End <- syscall.SIGTERM
	signals.End <- syscall.SIGTERM
	<-ended
	quiet.wantEnd()
}

func TestOnlyWhatWasStartedForItIsUpgraded(t *testing.T) {
	s := newStage(t, Native, stageConfig("127.0.0.1:1"))
	if err := s.p.Upgrade(); err == nil || !strings.Contains(err.Error(), "can't be upgraded while it runs") {
		t.Errorf("got %v", err)
	}
}
