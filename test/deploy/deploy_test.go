package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const folder = "../../deploy"

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// build returns the path of the program.
func build(t *testing.T) string {
	t.Helper()
	sluice := filepath.Join(t.TempDir(), "sluice")
	if out, err := exec.Command("go", "build", "-o", sluice, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return sluice
}

// settings are the lines NAME=VALUE of a unit.
func settings(text string) map[string][]string {
	found := map[string][]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			found[name] = append(found[name], value)
		}
	}
	return found
}

// one is the only value of a setting.
func one(t *testing.T, unit map[string][]string, name string) string {
	t.Helper()
	if len(unit[name]) != 1 {
		t.Fatalf("%s has the values %q, want one", name, unit[name])
	}
	return unit[name][0]
}

// unexplained are the lines that have no comment above them.
func unexplained(text string) (lines []string) {
	explained := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "[") && !explained {
			lines = append(lines, line)
		}
		explained = strings.HasPrefix(line, "#")
	}
	return lines
}

func TestEachLineHasItsReason(t *testing.T) {
	for _, name := range []string{"sluice.service", "sluice.socket", "Containerfile"} {
		for _, line := range unexplained(read(t, name)) {
			t.Errorf("%s: no comment above %q", name, line)
		}
	}
	if got := unexplained("[A]\n# why\nB=1\nC=2\n\n# why\n\nD=3\n"); len(got) != 2 {
		t.Errorf("found %q", got)
	}
}

func TestWhatTheUnitsCallIsThere(t *testing.T) {
	sluice := build(t)
	unit := settings(read(t, "sluice.service"))
	calls := append(unit["ExecStart"], unit["ExecReload"]...)
	entry := regexp.MustCompile(`(?m)^CMD \["(.*)"\]$`).FindStringSubmatch(read(t, "Containerfile"))
	if len(calls) != 2 || entry == nil {
		t.Fatalf("found %q, %q", calls, entry)
	}
	calls = append(calls, "/bin/sluice "+strings.ReplaceAll(entry[1], `", "`, " "))
	for _, call := range calls {
		words := strings.Fields(call)
		help, err := exec.Command(sluice, words[1], "--help").CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v", call, err)
		}
		for _, word := range words[2:] {
			if strings.HasPrefix(word, "-") && !strings.Contains(string(help), word+" ") {
				t.Errorf("%s: there is no %s in\n%s", call, word, help)
			}
		}
	}
}

func TestTheConfigFitsTheUnit(t *testing.T) {
	out, err := exec.Command(build(t), "check", filepath.Join(folder, "sluice.yaml")).CombinedOutput()
	if err != nil || strings.Contains(string(out), "warning") {
		t.Errorf("sluice.yaml: %v\n%s", err, out)
	}
	config, unit := read(t, "sluice.yaml"), settings(read(t, "sluice.service"))
	_, socket, _ := strings.Cut(one(t, unit, "ExecReload"), "--admin ")
	if socket != "/run/"+one(t, unit, "RuntimeDirectory")+"/admin.sock" || !strings.Contains(config, "listen: unix:"+socket+" ") {
		t.Errorf("a reload asks at %s", socket)
	}
	drain := regexp.MustCompile(`drain_timeout: (\w+)`).FindStringSubmatch(config)
	stop, err := time.ParseDuration(one(t, unit, "TimeoutStopSec"))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := time.ParseDuration(drain[1]); err != nil || d >= stop {
		t.Errorf("exchanges may go on for %v, but the service is killed after %v", d, stop)
	}
}

func TestSystemdUnderstandsTheUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("systemd-analyze is missing: make peers")
		}
		t.Skip("systemd-analyze is missing: make peers")
	}
	dir := t.TempDir()
	verify := func(change func(string) string) string {
		t.Helper()
		args := []string{"verify", "--man=no"}
		for _, name := range []string{"sluice.service", "sluice.socket"} {
			text := strings.ReplaceAll(read(t, name), "/usr/local/bin/sluice", os.Args[0]) // any program that is there
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(change(text)), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, path)
		}
		out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
		if err != nil {
			return fmt.Sprintf("%s%v", out, err)
		}
		return string(out)
	}
	if out := verify(func(text string) string { return text }); strings.Contains(out, "sluice") {
		t.Errorf("systemd-analyze says:\n%s", out)
	}
	if out := verify(func(text string) string { return strings.Replace(text, "ProtectHome=yes", "ProtectHoem=yes", 1) }); !strings.Contains(out, "ProtectHoem") {
		t.Errorf("a wrong setting is not found:\n%s", out)
	}
}
