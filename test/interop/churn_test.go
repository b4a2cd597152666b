//go:build interop

package interop

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var full = flag.Bool("full", false, "the long form of the tests under load: 100 reloads in a minute, 20 upgrades")

// A churner is a Sluice that is reloaded and upgraded under load.
type churner struct {
	t       *testing.T
	m       *mix
	dir     string
	origins [2]string
	other   string // the port of a site that comes and goes
	pids    []int  // of its processes, the one that listens last
	samples []sample
}

// A sample is what a process holds.
type sample struct {
	descriptors int
	memory      int // resident, in KiB
}

func newChurner(t *testing.T) *churner {
	m := newMix(t, freeAddr(t))
	c := &churner{t: t, m: m, dir: t.TempDir(), other: quietPort(t)}
	c.origins = [2]string{mixOrigin(t, m), mixOrigin(t, m)}
	c.configure(0)
	p := start(t, sluicePath, "run", "--config", filepath.Join(c.dir, "sluice.yaml"))
	p.listens("tcp", m.addr)
	c.pids = []int{p.cmd.Process.Pid}
	t.Cleanup(func() {
		for _, pid := range c.pids[1:] {
			if c.runs(pid) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if t.Failed() {
			text := c.log()
			t.Logf("the end of the log:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return c
}

// quietPort returns a free port that is not among those that the kernel gives to outgoing connections: the load's own could take it while nobody listens there.
func quietPort(t *testing.T) string {
	t.Helper()
	for port := 18_000; port < 30_000; port += 7 {
		if ln, err := net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			ln.Close()
			return fmt.Sprint(port)
		}
	}
	t.Fatal("no port is free")
	return ""
}

// configure writes the n-th config. Those with an even number differ in the site that the load is for, the others in another site with a listener of its own.
func (c *churner) configure(n int) {
	c.t.Helper()
	site := fmt.Sprintf("\n    to: %s\n    headers: { response: { set: { X-Config: \"%d\" } } }", c.origins[n/2%2], n/2)
	other := ""
	if (n+1)/2%2 == 1 {
		other = fmt.Sprintf("  http://:%s:\n    respond: { status: 200, body: other }\n", c.other)
	}
	write(c.t, c.dir, "sluice.yaml.new", fmt.Sprintf(`
admin: { listen: "unix:%[1]s/admin.sock" }
log: { file: %[1]s/error.log, access: { file: %[1]s/access.log } }
limits: { drain_timeout: 1h }
listeners: { %[2]s: { addresses: [127.0.0.1] } }
sites:
  http://:%[2]s:%[3]s
%[4]s`, c.dir, portOf(c.m.addr), site, other))
	if err := os.Rename(filepath.Join(c.dir, "sluice.yaml.new"), filepath.Join(c.dir, "sluice.yaml")); err != nil {
		c.t.Fatal(err)
	}
}

func (c *churner) log() string {
	text, _ := os.ReadFile(filepath.Join(c.dir, "error.log"))
	return string(text)
}

// until waits until cond holds.
func (c *churner) until(what string, cond func() bool) {
	c.t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	late := time.After(startTimeout)
	for !cond() {
		select {
		case <-look.C:
		case <-late:
			c.t.Fatalf("never: %s", what)
		}
	}
}

var (
	replacedLine = regexp.MustCompile(`msg="a new process has taken over".* pid=(\d+)`)
	badLine      = regexp.MustCompile(`.*(level=(ERROR|WARN)|panic|stands still).*`)
)

// reload has the n-th config read, and returns when it is in force.
func (c *churner) reload(n int) {
	c.t.Helper()
	c.configure(n)
	out, err := exec.Command(sluicePath, "reload", "--admin", filepath.Join(c.dir, "admin.sock")).CombinedOutput()
	if want := fmt.Sprintf("generation %d ", n+1); err != nil || !strings.Contains(string(out), want) {
		c.t.Fatalf("no %q: %v, %s", want, err, out)
	}
}

// upgrade has the process that listens replaced, and returns when that is done.
func (c *churner) upgrade() {
	c.t.Helper()
	before := len(replacedLine.FindAllString(c.log(), -1))
	if err := syscall.Kill(c.pids[len(c.pids)-1], syscall.SIGUSR2); err != nil {
		c.t.Fatal(err)
	}
	var found [][]string
	c.until("a new process takes over", func() bool {
		found = replacedLine.FindAllStringSubmatch(c.log(), -1)
		return len(found) > before
	})
	pid, err := strconv.Atoi(found[len(found)-1][1])
	if err != nil {
		c.t.Fatal(err)
	}
	c.pids = append(c.pids, pid)
}

// runs reports whether a process of ours is there and has not ended.
func (c *churner) runs(pid int) bool {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return err == nil && strings.HasPrefix(exe, sluicePath)
}

// look notes what the process that listens holds.
func (c *churner) look() sample {
	c.t.Helper()
	proc := fmt.Sprintf("/proc/%d", c.pids[len(c.pids)-1])
	open, err := os.ReadDir(proc + "/fd")
	if err != nil {
		c.t.Fatal(err)
	}
	status, err := os.ReadFile(proc + "/status")
	if err != nil {
		c.t.Fatal(err)
	}
	_, rss, _ := strings.Cut(string(status), "VmRSS:")
	s := sample{descriptors: len(open)}
	if _, err := fmt.Sscan(rss, &s.memory); err != nil {
		c.t.Fatal(err)
	}
	c.samples = append(c.samples, s)
	return s
}

// wantFlat compares the samples' last third with the first. Load is never even, so the most of the first counts, and the least of the last: what leaks stays above it.
func (c *churner) wantFlat() {
	c.t.Helper()
	third := len(c.samples) / 3
	first, last := c.samples[:third], c.samples[len(c.samples)-third:]
	by := func(of func(sample) int) func(a, b sample) int { return func(a, b sample) int { return of(a) - of(b) } }
	descriptors := func(s sample) int { return s.descriptors }
	memory := func(s sample) int { return s.memory }
	fdFirst, fdLast := slices.MaxFunc(first, by(descriptors)).descriptors, slices.MinFunc(last, by(descriptors)).descriptors
	memFirst, memLast := slices.MaxFunc(first, by(memory)).memory, slices.MinFunc(last, by(memory)).memory
	c.t.Logf("descriptors: at most %d at first, at least %d at last; memory: %d KiB, %d KiB", fdFirst, fdLast, memFirst, memLast)
	if fdLast > fdFirst+8 || memLast > memFirst*5/4+4<<10 {
		c.t.Errorf("descriptors: at most %d at first, at least %d at last; memory: %d KiB, %d KiB", fdFirst, fdLast, memFirst, memLast)
	}
}

// finish ends the load, then the processes: those that were replaced end by themselves, the last one by a signal.
func (c *churner) finish() {
	c.t.Helper()
	c.m.end()
	c.m.want()
	last := c.pids[len(c.pids)-1]
	c.until("all replaced processes end", func() bool { return !slices.ContainsFunc(c.pids[:len(c.pids)-1], c.runs) })
	if !c.runs(last) {
		c.t.Fatal("the last process has ended, too")
	}
	_ = syscall.Kill(last, syscall.SIGTERM)
	c.until("the last process ends", func() bool { return !c.runs(last) })
	if bad := badLine.FindString(c.log()); bad != "" {
		c.t.Errorf("sluice wrote: %s", bad)
	}
}

// every calls do n times: in the long form at that pace, else when some requests more have been answered.
func (c *churner) every(pace time.Duration, n int, do func(i int)) {
	c.t.Helper()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for i := range n {
		if *full {
			<-tick.C
		} else {
			c.m.answered(100)
		}
		do(i)
	}
}

func TestReloadsUnderLoadLoseNothing(t *testing.T) {
	c := newChurner(t)
	c.m.begin()
	n := 30
	if *full {
		n = 100
	}
	began := time.Now()
	c.every(600*time.Millisecond, n, func(i int) {
		c.reload(i + 1)
		c.look()
	})
	c.m.answered(100)
	t.Logf("%d reloads in %v", n, time.Since(began).Round(time.Millisecond))
	c.wantFlat()
	c.finish()
}

func TestUpgradesUnderLoadLoseNothing(t *testing.T) {
	c := newChurner(t)
	c.m.begin()
	n := 4
	if *full {
		n = 20
	}
	began := time.Now()
	c.every(3*time.Second, n, func(i int) {
		if i%2 == 1 {
			c.configure(i + 1) // the new process has another config
		}
		c.upgrade()
		c.m.answered(200)
		c.m.socket() // so that each process has something that lasts
		c.m.download()
		c.look()
	})
	t.Logf("%d upgrades in %v", n, time.Since(began).Round(time.Millisecond))
	for i, s := range c.samples {
		t.Logf("process %d: %d descriptors, %d KiB", i+1, s.descriptors, s.memory)
	}
	c.finish()
}
