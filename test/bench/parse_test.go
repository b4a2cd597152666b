//go:build linux

package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const wrkSummary = `Running 2s test @ http://127.0.0.1:21000/1024
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.50ms  330.11us   9.02ms   90.12%
    Req/Sec    42.70k     2.13k   45.11k    75.00%
  Latency Distribution
     50%  942.00us
     75%    1.60ms
     90%    2.02ms
     99%    1.07s 
  84938 requests in 2.00s, 104.69MB read
Requests/sec:  42463.62
Transfer/sec:     52.34MB
`

func TestReadsWrksSummary(t *testing.T) {
	got, err := parseWrk(wrkSummary)
	want := load{Requests: 84938, Elapsed: 2 * time.Second, P50: 942 * time.Microsecond, P99: 1070 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("parseWrk = %+v, %v; want %+v", got, err, want)
	}
}

func TestCountsWhatWentWrong(t *testing.T) {
	summary := wrkSummary + "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 50000\n"
	got, err := parseWrk(summary)
	if err != nil || got.Faults != 54321 {
		t.Errorf("Faults = %d, %v; want 54321", got.Faults, err)
	}
}

func TestRefusesAnIncompleteSummary(t *testing.T) {
	for _, text := range []string{
		"",
		"unable to connect to 127.0.0.1:9 Connection refused\n",
		strings.Replace(wrkSummary, "99%", "98%", 1),
		strings.Replace(wrkSummary, "84938", "many", 1),
		strings.Replace(wrkSummary, "942.00us", "quick", 1),
		wrkSummary + "  Socket errors: none\n",
	} {
		if got, err := parseWrk(text); err == nil {
			t.Errorf("parseWrk(%q) = %+v, want an error", text, got)
		}
	}
}

func TestReadsStatOfAProgramWithParenthesesInItsName(t *testing.T) {
	got, err := parseStat("4711 (a) R 1 (b) S 1 4700 4700 0 -1 4194560 100 0 0 0 123 77 0 0 20 0 1 0 5 6 7\n")
	want := stat{group: 4700, cpu: 2 * time.Second}
	if err != nil || got != want {
		t.Errorf("parseStat = %+v, %v; want %+v", got, err, want)
	}
	for _, text := range []string{"", "1 (x", "1 (x) S 1 2 3", "1 (x) S 1 group 3 0 -1 0 0 0 0 0 1 2 3"} {
		if got, err := parseStat(text); err == nil {
			t.Errorf("parseStat(%q) = %+v, want an error", text, got)
		}
	}
}

func TestReadsSchedstat(t *testing.T) {
	if got, err := parseSchedstat("216443 35477 1\n"); err != nil || got != 216443 {
		t.Errorf("parseSchedstat = %d, %v", got, err)
	}
	for _, text := range []string{"", "12", "x 1 2"} {
		if got, err := parseSchedstat(text); err == nil {
			t.Errorf("parseSchedstat(%q) = %d, want an error", text, got)
		}
	}
}

func TestReadsSizes(t *testing.T) {
	rollup := "55d0-7ffd ---p 00000000 00:00 0   [rollup]\nRss:                5280 kB\nPss:                 100 kB\n"
	if got, err := parseKiB(field(rollup, "Rss:")); err != nil || got != 5280<<10 {
		t.Errorf("size = %d, %v", got, err)
	}
	for _, text := range []string{"", "5280", "5280 MB", "x kB"} {
		if got, err := parseKiB(text); err == nil {
			t.Errorf("parseKiB(%q) = %d, want an error", text, got)
		}
	}
}

func TestAddsUpWhatTheMachineDoes(t *testing.T) {
	got, err := parseMachineTime("cpu  100 10 50 99999 88888 3 7 30 20 5\ncpu0 1 2 3\n")
	if err != nil || got != 2*time.Second {
		t.Errorf("parseMachineTime = %s, %v; want 2s: all but idle, iowait and the guests", got, err)
	}
	for _, text := range []string{"", "cpu  1 2 3\n", "cpu  1 2 x 4 5 6 7 8\n"} {
		if got, err := parseMachineTime(text); err == nil {
			t.Errorf("parseMachineTime(%q) = %s, want an error", text, got)
		}
	}
}

func TestMeasuresItself(t *testing.T) {
	before, err := processUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	begin, sum := time.Now(), 0
	for time.Since(begin) < 60*time.Millisecond {
		sum++
	}
	after, err := processUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// No upper bound and a low one: a busy machine gives us only part of the time, and the race detector has threads of its own.
	if used := after.cpu - before.cpu; used < 5*time.Millisecond {
		t.Errorf("60 ms of work (%d turns) took %s of CPU time", sum, used)
	}
	if after.rss < 1<<20 {
		t.Errorf("RSS = %d", after.rss)
	}
}

func TestReadsListsOfCores(t *testing.T) {
	for list, want := range map[string][]int{"0": {0}, "1,0": {1, 0}, "0-3,6\n": {0, 1, 2, 3, 6}} {
		if got, err := parseCores(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("parseCores(%q) = %v, %v; want %v", list, got, err, want)
		}
	}
	for _, list := range []string{"", "a", "1-", "3-1", "-1", "1,,2", "0-99999"} {
		if got, err := parseCores(list); err == nil {
			t.Errorf("parseCores(%q) = %v, want an error", list, got)
		}
	}
}

func TestReadsTheModelOfTheCPU(t *testing.T) {
	if got := cpuModel("processor\t: 0\nmodel name\t: Intel(R)  Xeon(R) Processor\n"); got != "Intel(R) Xeon(R) Processor" {
		t.Errorf("cpuModel = %q", got)
	}
	if got := cpuModel("processor\t: 0\n"); !strings.HasPrefix(got, "unknown") {
		t.Errorf("cpuModel = %q", got)
	}
}
