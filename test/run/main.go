// Command run is what the Makefile's longer targets do: the suites of "make test" with one closing count, every fuzz target in turn,
// the comparison of benchmarks with another commit, and govulncheck where its database can be reached.
//
// It starts the go command and reads its output. It decides nothing about the code itself: the rules are in test/repo.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	commands := map[string]func(context.Context, []string) error{
		"suites":  runSuites,
		"fuzz":    runFuzz,
		"compare": runCompare,
		"vuln":    runVuln,
	}
	if len(args) > 0 {
		if command, ok := commands[args[0]]; ok {
			return command(ctx, args[1:])
		}
	}
	return errors.New("usage: run suites [NAME...] | fuzz -t 30s | compare -base main | vuln")
}

// goCommand is the go command with args, in folder dir ("" is here), with its errors on our standard error.
func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	return cmd
}
