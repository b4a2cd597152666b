//go:build linux

// Bench measures what Sluice costs next to nginx and HAProxy: CPU time of the proxy's processes per request, requests per second, latency
// and memory. docs/benchmarks.md tells the method; peers/ holds the configuration of each proxy; workload.go lists what is measured.
//
// It starts an origin, the proxies and the load by itself, each pinned to its cores, and lets the proxies take turns round by round, so that
// a machine that grows slower or faster does so for all of them. It ends only what it started.
//
//	go run ./test/bench                                  all workloads, all proxies
//	go run ./test/bench -workload 1k,10m -rounds 9       two workloads, more rounds
//	go run ./test/bench compare -base main               Go benchmarks of a commit against the working tree
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	err := run(os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run does what the first argument says. The commands "origin" and "websocket" are for the benchmark itself: it starts them as processes of
// their own, so that they can be pinned to cores. Those two just die of a signal; the others clean up.
func run(args []string) error {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case originCommand:
		return runOrigin(args[1:])
	case websocketCommand:
		return runWebsocket(args[1:])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if command == "compare" {
		return compare(ctx, args[1:])
	}
	return measure(ctx, args)
}

// measure runs the benchmark and prints its report.
func measure(ctx context.Context, args []string) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer b.close()
	r, err := b.run(ctx)
	if len(r.Tables) == 0 {
		return err
	}
	return errors.Join(err, r.write(os.Stdout, o.format), r.faults())
}
