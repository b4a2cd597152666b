// Command peers installs the programs that tests and benchmarks talk to, with the system's package manager: "peers test", "peers bench".
//
// It does nothing when all are there. It installs with apt-get, as root or by sudo without a password, and takes care that no service is started.
// Where it can't, it says what to install; under CI=true that is a failure, elsewhere the tests that need a missing peer skip themselves.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// A peer is a program and the Debian packages that it comes in.
type peer struct {
	command  string // or the path of a file, for a peer that is no program
	packages []string
}

// groups are the peers that each caller needs.
var groups = map[string][]peer{
	"test": {
		{"nginx", []string{"nginx"}},
		{"curl", []string{"curl"}},
		{"openssl", []string{"openssl"}},
		{"haproxy", []string{"haproxy"}},
		{"python3", []string{"python3"}},      // its http.server is an origin of HTTP/1.0
		{"gcc", []string{"gcc", "libc6-dev"}}, // the race detector links with it
		{"promtool", []string{"prometheus"}},  // and prometheus itself
		{openMetricsParser, []string{"python3", "python3-prometheus-client"}},
		{"tmux", []string{"tmux"}},               // a terminal for top
		{"systemd-analyze", []string{"systemd"}}, // it checks the units of deploy; nothing of it is started
	},
	"bench": {
		{"nginx", []string{"nginx"}},
		{"haproxy", []string{"haproxy"}},
		{"wrk", []string{"wrk"}},
	},
}

// openMetricsParser is a file of the reference parser of OpenMetrics, where Debian puts it.
const openMetricsParser = "/usr/lib/python3/dist-packages/prometheus_client/openmetrics/parser.py"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		if os.Getenv("CI") != "" || !errors.Is(err, errCannotInstall) {
			os.Exit(1)
		}
	}
}

func run(ctx context.Context, names []string) error {
	// Servers lie in sbin, which is not on everybody's path.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin"); err != nil {
		return err
	}
	packages, err := missing(names, has)
	if err != nil || len(packages) == 0 {
		return err
	}
	fmt.Println("peers: installing", strings.Join(packages, " "))
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	m := machine{has: has, isRoot: os.Geteuid() == 0, policy: policyFile, run: func(args ...string) error { return execute(ctx, args) }}
	if err := m.install(packages); err != nil {
		return err
	}
	if packages, err = missing(names, has); err == nil && len(packages) > 0 {
		err = fmt.Errorf("still missing after the installation: %s", strings.Join(packages, " "))
	}
	return err
}

// missing returns the packages of the peers of the named groups whose command is not there, each package once.
func missing(names []string, has func(command string) bool) ([]string, error) {
	if len(names) == 0 {
		return nil, errors.New("usage: peers GROUP..., with a group of test, bench")
	}
	var packages []string
	seen := map[string]bool{}
	for _, name := range names {
		group, ok := groups[name]
		if !ok {
			return nil, fmt.Errorf("there is no group %q", name)
		}
		for _, p := range group {
			if !seen[p.command] && !has(p.command) {
				packages = append(packages, p.packages...)
			}
			seen[p.command] = true
		}
	}
	return packages, nil
}

// has reports whether a command can be found, or a file is there.
func has(command string) bool {
	if filepath.IsAbs(command) {
		_, err := os.Stat(command)
		return err == nil
	}
	_, err := exec.LookPath(command)
	return err == nil
}

func execute(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
