package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// A suite is one run of go test.
type suite struct {
	name string
	why  string
	args []string
}

// suites are those of "make test". Each must execute at least one test: a suite that runs nothing has failed.
var suites = []suite{
	{"race", "all tests, transcripts and the simulated engine too, under the race detector", []string{"-race", "-timeout", "15m", "./..."}},
	{"plain", "the counts of allocations, which the race detector falsifies", []string{"-timeout", "10m", "./internal/..."}},
	{"bufdebug", "released memory is overwritten: borrowed bytes kept too long show", []string{"-tags", "bufdebug", "-timeout", "10m", "./internal/...", "./test/..."}},
	{"interop", "real peers", []string{"-tags", "interop", "-count", "1", "-timeout", "10m", "./test/interop/..."}},
}

// event is what "go test -json" prints for each step (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build's output
	Test       string
	Output     string
	Elapsed    float64 // seconds
}

// counts is the closing line of a suite: how many tests, subtests included.
type counts struct{ passed, failed, skipped int }

func (c counts) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", c.passed, c.failed, c.skipped)
}

func (c *counts) add(other counts) {
	c.passed, c.failed, c.skipped = c.passed+other.passed, c.failed+other.failed, c.skipped+other.skipped
}

// runSuites runs the suites named by args, all of them without args, and closes with one count.
func runSuites(ctx context.Context, args []string) error {
	var total counts
	var failed []string
	for _, s := range suites {
		if len(args) > 0 && !strings.Contains(" "+strings.Join(args, " ")+" ", " "+s.name+" ") {
			continue
		}
		fmt.Printf("suite %s: %s\n", s.name, s.why)
		began := time.Now()
		n, err := s.run(ctx)
		if err == nil && n.passed == 0 {
			err = fmt.Errorf("no test was executed")
		}
		if err != nil {
			failed = append(failed, fmt.Sprintf("%s (%v)", s.name, err))
			n.failed = max(n.failed, 1)
		}
		total.add(n)
		fmt.Printf("suite %s: %v in %v\n", s.name, n, time.Since(began).Round(time.Second))
	}
	fmt.Println(total)
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

func (s suite) run(ctx context.Context) (counts, error) {
	cmd := goCommand(ctx, "", append([]string{"test", "-json"}, s.args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return counts{}, err
	}
	if err := cmd.Start(); err != nil {
		return counts{}, err
	}
	n := report(out)
	return n, cmd.Wait()
}

// report reads what "go test -json" prints, shows the output of what fails and one line for each package, and counts.
func report(r io.Reader) counts {
	var n counts
	output := map[string]*strings.Builder{} // by package and test, until it has passed
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text()) // not an event: the go command speaks
			continue
		}
		key := e.Package + e.ImportPath + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			if output[key] == nil {
				output[key] = &strings.Builder{}
			}
			output[key].WriteString(e.Output)
		case "pass", "skip", "fail", "build-fail":
			n.count(e)
			show(e, output[key])
			delete(output, key)
		}
	}
	return n
}

// count takes one test or package into account. A package counts only when it failed outside of its tests.
func (c *counts) count(e event) {
	switch {
	case e.Test != "" && e.Action == "pass":
		c.passed++
	case e.Test != "" && e.Action == "skip":
		c.skipped++
	case e.Test != "" && e.Action == "fail":
		c.failed++
	case e.Action == "build-fail":
		c.failed++
	}
}

func show(e event, output *strings.Builder) {
	failed := e.Action == "fail" || e.Action == "build-fail"
	if failed && output != nil {
		fmt.Print(output)
	}
	switch {
	case e.Test != "" && e.Action == "skip": // Not hidden: a test that is skipped proves nothing.
		fmt.Printf("  skip  %s %s\n", e.Package, e.Test)
	case e.Test == "" && e.Action != "skip":
		fmt.Printf("  %-5s %s %.1fs\n", e.Action, e.Package+e.ImportPath, e.Elapsed)
	}
}
