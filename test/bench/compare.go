//go:build linux

package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// compare runs the Go benchmarks of a commit and of the working tree in turns, and has benchstat say what changed. The commit is unpacked into a
// temporary directory; the working tree is left as it is.
func compare(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench compare", flag.ContinueOnError)
	base := flags.String("base", "main", "`commit` to compare the working tree with")
	pattern := flags.String("bench", ".", "`pattern` of the benchmarks, as for go test")
	count := flags.Int("count", 10, "rounds")
	if err := flags.Parse(args); err != nil {
		return err
	}
	packages := flags.Args()
	if len(packages) == 0 {
		packages = []string{"./internal/..."}
	}
	top, err := output(ctx, ".", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sluice-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	here := strings.TrimSpace(top)
	there := filepath.Join(dir, "base")
	if err := unpack(ctx, here, *base, there); err != nil {
		return err
	}
	files, err := benchmarkInTurns(ctx, dir, there, here, *pattern, *count, packages)
	if err != nil {
		return err
	}
	table, err := output(ctx, here, "go", "tool", "benchstat", "base="+files[0], "tree="+files[1])
	fmt.Print(table)
	return err
}

// unpack writes the files of a commit into a new directory.
func unpack(ctx context.Context, repository, commit, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	archive := dir + ".tar"
	if _, err := output(ctx, repository, "git", "archive", "--format=tar", "-o", archive, commit); err != nil {
		return err
	}
	_, err := output(ctx, dir, "tar", "-xf", archive)
	return err
}

// benchmarkInTurns runs both trees once in each round, so that a machine that changes its speed does so for both. It returns the names of the
// files with the results. Packages that one of the trees lacks, or that fail there, are told and left out.
func benchmarkInTurns(ctx context.Context, dir, there, here, pattern string, count int, packages []string) ([2]string, error) {
	files := [2]string{filepath.Join(dir, "base.txt"), filepath.Join(dir, "tree.txt")}
	for round := range count {
		for side, tree := range []string{there, here} {
			argv := append([]string{"test", "-run", "^$", "-bench", pattern, "-benchmem", "-count", "1"}, packages...)
			text, err := output(ctx, tree, "go", argv...)
			if ctx.Err() != nil {
				return files, ctx.Err()
			}
			if err != nil && round == 0 {
				progress("%v", err)
			}
			if err := appendFile(files[side], text); err != nil {
				return files, err
			}
			progress("round %d of %d: %s", round+1, count, []string{"base", "tree"}[side])
		}
	}
	return files, nil
}

func appendFile(name, text string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// output runs a command in a directory and returns what it printed to standard output, also if it failed.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, complaint.String())
	}
	return out.String(), nil
}
