package accesslog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sluice/internal/exchange"
	"sluice/internal/filter"
	"sluice/internal/observe/logfile"
	"sluice/internal/observe/metric"
)

func open(t *testing.T, s Settings, loops int) (*Log, *metric.Set) {
	t.Helper()
	set := metric.NewSet(loops)
	l, err := New(s, Reports{}, loops, set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, set
}

func linesIn(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(strings.TrimSuffix(string(b), "\n"), "\n")
}

func metricIs(t *testing.T, set *metric.Set, line string) {
	t.Helper()
	var b bytes.Buffer
	set.WriteText(&b)
	if !strings.Contains(b.String(), line+"\n") {
		t.Errorf("no line %s in\n%s", line, b.String())
	}
}

func TestNoLineIsLostAndEachLoopKeepsItsOrder(t *testing.T) {
	const loops, each = 4, 2000
	path := filepath.Join(t.TempDir(), "access.log")
	l, set := open(t, Settings{To: logfile.Disk{Path: path}}, loops)
	var wg sync.WaitGroup
	for id := range loops {
		wg.Go(func() {
			x := newExchange()
			x.Begin(newDriver(id), nil)
			for i := range each {
				x.Notes.Site, x.Response.Status = fmt.Sprint(id), i
				l.Record(x)
				if i%500 == 0 {
					l.Flush()
				}
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	lines := linesIn(t, path)
	if len(lines) != loops*each {
		t.Errorf("%d lines", len(lines))
	}
	next := map[any]float64{}
	for _, line := range lines {
		m := decoded(t, strings.TrimSuffix(line, "\n")+"\n")
		if m["status"] != next[m["site"]] {
			t.Fatalf("loop %v: line %v comes where %v should", m["site"], m["status"], next[m["site"]])
		}
		next[m["site"]]++
	}
	metricIs(t, set, fmt.Sprintf("sluice_access_log_lines_total %d", loops*each))
	metricIs(t, set, `sluice_access_log_dropped_lines_total{reason="queue"} 0`)
	l.Record(newExchange()) // a late one is no harm
}

func TestAStuckDiskCostsLinesAndNoTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := open(t, Settings{To: logfile.Disk{Path: path}}, 1)
	x := newExchange()
	made := 0
	for l.queueFull.Value() == 0 { // nobody reads the pipe: it must come to this
		l.Record(x)
		if made++; made > 1_000_000 {
			t.Fatal("the queue has no bound")
		}
	}
	reader.Close()
	if err := l.Close(); err != nil { // the pipe is broken now: the rest fails at once
		t.Error(err)
	}
	if l.queueFull.Value() == 0 || l.failed.Value() == 0 || l.queueFull.Value()+l.failed.Value() > int64(made) {
		t.Errorf("of %d lines %d found no room and %d could not be written", made, l.queueFull.Value(), l.failed.Value())
	}
}

func TestReportsFailedWrites(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	failures := make(chan error, 10)
	set := metric.NewSet(1)
	l, err := New(Settings{To: logfile.Disk{Path: "/dev/full"}}, Reports{Failed: func(err error) { failures <- err }}, 1, set)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 2 {
		l.Record(newExchange())
		l.Flush()
	}
	if err := <-failures; !errors.Is(err, syscall.ENOSPC) || len(failures) > 0 {
		t.Errorf("%v, and %d more", err, len(failures))
	}
	metricIs(t, set, `sluice_access_log_dropped_lines_total{reason="write"} 2`)
}

func TestApplyChangesFileAndNames(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "1.log"), filepath.Join(dir, "2.log")
	l, _ := open(t, Settings{To: logfile.Disk{Path: first}}, 1)
	x := newExchange()
	x.Request.Received.Target = []byte("/?house=hunter2")
	l.Record(x)
	if err := l.Apply(Settings{To: logfile.Disk{Path: filepath.Join(dir, "none", "3.log")}, Hide: []string{"house"}}); err == nil {
		t.Error("a file that can't be opened was taken")
	}
	l.Record(x)
	if err := l.Apply(Settings{To: logfile.Disk{Path: second}, Hide: []string{"house"}}); err != nil {
		t.Fatal(err)
	}
	l.Record(x)
	if err := l.Apply(Settings{}); err != nil {
		t.Fatal(err)
	}
	l.Record(x) // off
	l.Close()
	if lines := linesIn(t, first); len(lines) != 2 || !strings.Contains(lines[1], "house=hunter2") {
		t.Errorf("first file: %q", lines)
	}
	if lines := linesIn(t, second); len(lines) != 1 || !strings.Contains(lines[0], "house=REDACTED") {
		t.Errorf("second file: %q", lines)
	}
}

func TestReopenFollowsRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l, _ := open(t, Settings{To: logfile.Disk{Path: path}}, 1)
	l.Record(newExchange())
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Record(newExchange())
	l.Close()
	if a, b := linesIn(t, path+".1"), linesIn(t, path); len(a) != 1 || len(b) != 1 {
		t.Errorf("%d lines before, %d after", len(a), len(b))
	}
}

func TestOpensNoBadFile(t *testing.T) {
	if _, err := New(Settings{To: logfile.Disk{Path: t.TempDir()}}, Reports{}, 1, metric.NewSet(1)); err == nil {
		t.Error("a folder was taken for a log")
	}
}

func TestFilterRecordsAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l, _ := open(t, Settings{To: logfile.Disk{Path: path}}, 1)
	f := NewFilter(l, everything())
	chain := filter.NewChain([]filter.Filter{f}, []filter.Filter{f})
	x := newExchange()
	if reached, v := chain.Request(x); reached != 0 || v != exchange.Continue || f.Name() != "log" {
		t.Error("the log has a request phase")
	}
	chain.Finish(x)
	l.Close()
	if len(linesIn(t, path)) != 1 {
		t.Error("not one line")
	}
}

func TestLoggingAllocatesNothing(t *testing.T) {
	for _, format := range []Format{JSON, Common, Combined} {
		for _, addresses := range []Addresses{Full, Truncated, Hashed} {
			l, _ := open(t, Settings{To: logfile.Disk{Path: "/dev/null"}, Format: format, Addresses: addresses}, 1)
			f := NewFilter(l, Config{Sample: 0.5, Only: Only{Path: []string{"/*"}, Status: []Status{"2xx"}}})
			x := newExchange()
			x.Request.Received.Target = []byte("/a b/é?token=hunter2&x=\xff")
			x.Request.MatchPath = []byte("/a")
			x.Err = &exchange.Error{Kind: exchange.KindConnectionRefused, Op: "connect"}
			for range 10_000 { // until buffers go round
				f.Finish(x)
			}
			l.Flush()
			if n := testing.AllocsPerRun(500, func() { f.Finish(x) }); n != 0 {
				t.Errorf("format %d, addresses %d: %v allocations for a line", format, addresses, n)
			}
		}
	}
}
