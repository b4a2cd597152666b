package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// runCompare runs the Go benchmarks of commit -base and of this tree, -n times each, and shows the difference by benchstat.
func runCompare(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	base := flags.String("base", "main", "commit to compare with")
	n := flags.Int("n", 10, "runs of each benchmark")
	match := flags.String("bench", ".", "which benchmarks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "sluice-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	tree := filepath.Join(tmp, "base")
	if out, err := exec.CommandContext(ctx, "git", "worktree", "add", "--detach", tree, *base).CombinedOutput(); err != nil {
		return fmt.Errorf("git worktree add: %v: %s", err, out)
	}
	// Not ctx: the work tree is taken away after an interrupt, too.
	defer exec.Command("git", "worktree", "remove", "--force", tree).Run()

	before, after := filepath.Join(tmp, "before"), filepath.Join(tmp, "after")
	if err := errors.Join(bench(ctx, tree, before, *match, *n), bench(ctx, "", after, *match, *n)); err != nil {
		return err
	}
	stat := goCommand(ctx, "", "tool", "benchstat", before, after)
	stat.Stdout = os.Stdout
	return stat.Run()
}

// bench writes the results of the benchmarks below dir/internal to file.
func bench(ctx context.Context, dir, file, match string, n int) error {
	fmt.Printf("benchmarks of %s\n", file)
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := goCommand(ctx, dir, "test", "-run", "^$", "-bench", match, "-benchmem", "-count", fmt.Sprint(n), "./internal/...")
	cmd.Stdout = out
	return cmd.Run()
}
