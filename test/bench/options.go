//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are what the command line asks for.
type options struct {
	rounds    int
	duration  time.Duration // of one measured run; its warm-up is a quarter of it, at most a second
	workloads []workload
	proxies   []string // names, in the order of their turns
	format    string   // text, markdown or json
	cores     []int    // the first is the proxy's, the others are the origin's and the load's
	sluice    string   // a built binary, or empty: build ./cmd/sluice
	base      string   // a second binary of Sluice, measured as proxy "base"
	idle      int      // connections of the workload "idle"
}

// The formats of a report.
const (
	formatText     = "text"
	formatMarkdown = "markdown"
	formatJSON     = "json"
)

// parseOptions reads the command line. It prints usage and errors to standard error, as package flag does.
func parseOptions(args []string) (options, error) {
	o := options{format: formatText}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 7, "turns of each proxy in each workload")
	flags.DurationVar(&o.duration, "duration", 3*time.Second, "length of one measured run")
	names := flags.String("workload", "", "`names` or patterns with commas between (default all)")
	proxies := flags.String("proxies", "sluice,nginx,haproxy", "`names` of the proxies, in the order of their turns")
	asJSON := flags.Bool("json", false, "print the report as JSON")
	asMarkdown := flags.Bool("markdown", false, "print the block for docs/benchmarks.md")
	cores := flags.String("cores", "", "`list` of cores: the proxy's, then those of origin and load (default all, from the last)")
	two := flags.Bool("two", false, "give each proxy two workers on all cores, shared with origin and load")
	flags.StringVar(&o.sluice, "sluice", "", "built `binary` of Sluice (default: build ./cmd/sluice)")
	flags.StringVar(&o.base, "base", "", "another `binary` of Sluice to measure beside it, as proxy \"base\"")
	flags.IntVar(&o.idle, "idle", 6000, "connections of the workload idle")
	flags.Usage = func() { printUsage(flags) }
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.proxies = strings.Split(*proxies, ",")
	if o.base != "" && !slices.Contains(o.proxies, "base") {
		o.proxies = append(o.proxies, "base")
	}
	switch {
	case *asJSON:
		o.format = formatJSON
	case *asMarkdown:
		o.format = formatMarkdown
	}
	var errCores, errWorkloads error
	o.cores, errCores = chooseCores(*cores)
	o.workloads, errWorkloads = chooseWorkloads(*names, *two)
	return o, errors.Join(errCores, errWorkloads, o.check(flags.Args()))
}

// printUsage prints the flags and the workloads.
func printUsage(flags *flag.FlagSet) {
	w := flags.Output()
	fmt.Fprintln(w, "usage: bench [flags]\n       bench compare [-base COMMIT] [-bench PATTERN] [-count N] [PACKAGES]\n\nflags:")
	flags.PrintDefaults()
	fmt.Fprintln(w, "\nworkloads:")
	printWorkloads(w)
}

func printWorkloads(w io.Writer) {
	for _, load := range allWorkloads() {
		fmt.Fprintf(w, "  %-12s %s\n", load.name, load.title)
	}
}

// check refuses what can't be measured.
func (o *options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case o.rounds < 1:
		return errors.New("-rounds must be at least 1")
	case o.duration < 200*time.Millisecond || o.duration > time.Minute:
		return errors.New("-duration must be from 200ms to 1m")
	case o.idle < 100:
		return errors.New("-idle must be at least 100")
	}
	for i, name := range o.proxies {
		if _, known := peerKinds()[name]; !known {
			return fmt.Errorf("unknown proxy %q in -proxies (known: sluice, nginx, haproxy, base, observed)", name)
		}
		if slices.Contains(o.proxies[:i], name) {
			return fmt.Errorf("proxy %q stands twice in -proxies", name)
		}
		if name == "base" && o.base == "" {
			return errors.New("proxy \"base\" needs -base BINARY")
		}
	}
	return nil
}

// chooseWorkloads returns those whose name matches one of the patterns. With two, each becomes its variant with two workers; without patterns
// these are the ones that the table holds.
func chooseWorkloads(patterns string, two bool) ([]workload, error) {
	if patterns == "" {
		patterns = "*"
		if two {
			patterns, two = "two-*", false
		}
	}
	var chosen []workload
	for _, pattern := range strings.Split(patterns, ",") {
		before := len(chosen)
		for _, w := range allWorkloads() {
			if ok, err := path.Match(pattern, w.name); err != nil {
				return nil, fmt.Errorf("workload %q: %w", pattern, err)
			} else if ok {
				chosen = append(chosen, w)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("no workload is named %q (bench -help lists them)", pattern)
		}
	}
	if two {
		for i := range chosen {
			chosen[i] = chosen[i].onTwo()
		}
	}
	return chosen, nil
}

// chooseCores parses the flag -cores. Without it, all cores that this process may use are taken from the last to the first: most machines
// handle their interrupts on core 0, which should not be the proxy's.
func chooseCores(list string) ([]int, error) {
	if list != "" {
		return parseCores(list)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	allowed, err := parseCores(field(string(status), "Cpus_allowed_list:"))
	slices.Reverse(allowed)
	return allowed, err
}

// parseCores reads a list such as "0,1" or "0-3,6", in its order.
func parseCores(list string) ([]int, error) {
	var cores []int
	for _, part := range strings.Split(strings.TrimSpace(list), ",") {
		low, high, ranged := strings.Cut(part, "-")
		first, err := strconv.Atoi(low)
		last := first
		if err == nil && ranged {
			last, err = strconv.Atoi(high)
		}
		if err != nil || first < 0 || last < first || last > 4095 {
			return nil, fmt.Errorf("list of cores %q: %q is no number or range", list, part)
		}
		for core := first; core <= last; core++ {
			cores = append(cores, core)
		}
	}
	return cores, nil
}

// proxyCores are those that a proxy with so many workers is pinned to.
func (o *options) proxyCores(workers int) []int {
	if workers > 1 {
		return o.cores
	}
	return o.cores[:1]
}

// loadCores are those of origin and load: all but the proxy's, if there are others and the proxy doesn't take them all.
func (o *options) loadCores(workers int) []int {
	if workers > 1 || len(o.cores) == 1 {
		return o.cores
	}
	return o.cores[1:]
}
