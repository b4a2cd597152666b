package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A fuzzTarget is one fuzz function.
type fuzzTarget struct {
	dir  string // of its package
	name string
}

var fuzzFunc = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// runFuzz runs every fuzz target in turn, for -t each, and stops at the first that finds something: its input lies in testdata/fuzz then.
func runFuzz(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	each := flags.Duration("t", 30*time.Second, "time for each target")
	if err := flags.Parse(args); err != nil {
		return err
	}
	targets, err := findFuzzTargets("internal")
	if err == nil && len(targets) == 0 {
		err = errors.New("there is no fuzz target")
	}
	for _, t := range targets {
		if err == nil {
			err = t.run(ctx, *each)
		}
	}
	return err
}

func (t fuzzTarget) run(ctx context.Context, d time.Duration) error {
	fmt.Printf("%s in %s\n", t.name, t.dir)
	cmd := goCommand(ctx, "", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", d.String(), "./"+t.dir)
	cmd.Stdout = os.Stdout
	return cmd.Run()
}

// findFuzzTargets returns the fuzz functions below dir, in the order of their paths.
func findFuzzTargets(dir string) ([]fuzzTarget, error) {
	var targets []fuzzTarget
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, "_fuzz_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range fuzzFunc.FindAllSubmatch(text, -1) {
			targets = append(targets, fuzzTarget{filepath.ToSlash(filepath.Dir(path)), string(m[1])})
		}
		return err
	})
	return targets, err
}
