//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Limits of waiting for processes.
const (
	startTimeout = 10 * time.Second // from start to the first accepted connection
	stopTimeout  = 5 * time.Second  // from SIGTERM to SIGKILL
)

// A child is a process that the benchmark started, with all that it starts in turn: they are one process group.
type child struct {
	name string
	log  string // file with what it printed
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended
}

// startChild starts a program pinned to cores. What it prints goes to a file in dir.
func startChild(name, dir string, cores []int, argv ...string) (*child, error) {
	c := &child{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	out, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	c.cmd = pinned(cores, argv...)
	c.cmd.Stdout, c.cmd.Stderr = out, out
	// A group of its own: an interrupt at the terminal reaches us alone, and we end the children in order. If we are killed, they are too.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		_ = c.cmd.Wait() // how it ended is told by its log
		close(c.done)
	}()
	return c, nil
}

// pinned is a command that runs on the cores only. taskset replaces itself by the program, so the process is the program's.
func pinned(cores []int, argv ...string) *exec.Cmd {
	return exec.Command("taskset", append([]string{"-c", coreList(cores)}, argv...)...)
}

func coreList(cores []int) string {
	var names []string
	for _, core := range cores {
		names = append(names, strconv.Itoa(core))
	}
	return strings.Join(names, ",")
}

// usage reads what the child and its own children used up.
func (c *child) usage() (usage, error) {
	u, err := groupUsage(c.cmd.Process.Pid)
	if err != nil {
		return u, c.failure(err)
	}
	return u, nil
}

// awaitPort returns once the child accepts connections on the port.
func (c *child) awaitPort(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := net.Dial("tcp", local(port))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-c.done:
			return c.failure(errors.New("ended at once"))
		case <-ctx.Done():
			return c.failure(fmt.Errorf("does not listen on port %d: %w", port, ctx.Err()))
		case <-retry.C:
		}
	}
}

// failure adds the child's name and the last of what it printed to an error.
func (c *child) failure(err error) error {
	printed, _ := os.ReadFile(c.log)
	if lines := bytes.Split(bytes.TrimSpace(printed), []byte("\n")); len(lines) > 10 {
		printed = bytes.Join(lines[len(lines)-10:], []byte("\n"))
	}
	return fmt.Errorf("%s: %w\n%s", c.name, err, bytes.TrimSpace(printed))
}

// stop ends the child and its group: kindly, then by force.
func (c *child) stop() {
	group := -c.cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(stopTimeout):
		_ = syscall.Kill(group, syscall.SIGKILL)
		<-c.done
	}
}

// local is the address of a port of this machine.
func local(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// Ports are searched in a range below the one that the kernel gives to outgoing connections: none of the load's can sit on a port that a proxy
// is about to listen on.
const (
	portMin = 21000
	portMax = 31000
)

// A portSearch hands out free ports, each once.
type portSearch struct {
	next int
}

func (s *portSearch) free() (int, error) {
	for s.next = max(s.next, portMin); s.next < portMax; s.next++ {
		listener, err := net.Listen("tcp", local(s.next))
		if err != nil {
			continue
		}
		s.next++
		return s.next - 1, listener.Close()
	}
	return 0, fmt.Errorf("no free port from %d to %d", portMin, portMax)
}
