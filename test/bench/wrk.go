//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A load is what one run of a load generator did.
type load struct {
	Requests int64         // or messages; those that were answered
	Elapsed  time.Duration // of the run
	P50, P99 time.Duration // latency as the client saw it
	CPU      time.Duration // of the load generator
	Faults   int64         // connections and timeouts that failed, answers other than 2xx and 3xx
}

// runWrk drives a URL for the duration.
func runWrk(ctx context.Context, cores []int, w workload, url, script string, duration time.Duration) (load, error) {
	threads := max(1, min(len(cores)/2, 4))
	// wrk takes whole seconds; it stops by itself at SIGINT, and then prints the same summary.
	seconds := int(duration/time.Second) + 1
	argv := []string{"wrk", "--latency", "-t", strconv.Itoa(threads), "-c", strconv.Itoa(w.connections), "-d", strconv.Itoa(seconds)}
	if script != "" {
		argv = append(argv, "-s", script)
	}
	if w.header != "" {
		argv = append(argv, "-H", w.header)
	}
	out, cpu, err := runLoad(ctx, pinned(cores, append(argv, url)...), duration)
	if err != nil {
		return load{}, err
	}
	l, err := parseWrk(out)
	l.CPU = cpu
	return l, err
}

// runLoad runs a load generator and interrupts it at the end of the duration. It returns what it printed and the CPU time that it took.
func runLoad(ctx context.Context, cmd *exec.Cmd, duration time.Duration) (string, time.Duration, error) {
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return "", 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		<-ended
		return "", 0, ctx.Err()
	case <-time.After(duration):
		_ = cmd.Process.Signal(syscall.SIGINT)
		select {
		case err = <-ended:
		case <-time.After(startTimeout):
			_ = cmd.Process.Kill()
			err = fmt.Errorf("does not end: %w", <-ended)
		}
	}
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, complaint.String())
	}
	return out.String(), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// parseWrk reads wrk's summary with --latency.
func parseWrk(text string) (load, error) {
	var l load
	complete := 0
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		var err error
		switch {
		case len(words) == 2 && words[0] == "50%":
			l.P50, err = time.ParseDuration(words[1])
			complete++
		case len(words) == 2 && words[0] == "99%":
			l.P99, err = time.ParseDuration(words[1])
			complete++
		case len(words) >= 4 && words[1] == "requests" && words[2] == "in":
			l.Requests, l.Elapsed, err = parseDone(words)
			complete++
		case strings.Contains(line, "Socket errors:"):
			err = addNumbers(&l.Faults, words)
		case strings.Contains(line, "Non-2xx or 3xx responses:"):
			err = addNumbers(&l.Faults, words[len(words)-1:])
		}
		if err != nil {
			return l, fmt.Errorf("wrk's line %q: %w", strings.TrimSpace(line), err)
		}
	}
	if complete < 3 {
		return l, fmt.Errorf("wrk's summary is incomplete: %q", text)
	}
	return l, nil
}

// parseDone reads "84938 requests in 2.00s, 104.69MB read".
func parseDone(words []string) (int64, time.Duration, error) {
	n, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return 0, 0, err
	}
	elapsed, err := time.ParseDuration(strings.TrimSuffix(words[3], ","))
	return n, elapsed, err
}

// addNumbers adds those words that are numbers: "connect 0, read 3, write 0, timeout 1" is 4.
func addNumbers(sum *int64, words []string) error {
	found := false
	for _, word := range words {
		if n, err := strconv.ParseInt(strings.TrimSuffix(word, ","), 10, 64); err == nil {
			*sum += n
			found = true
		}
	}
	if !found {
		return fmt.Errorf("no number")
	}
	return nil
}
