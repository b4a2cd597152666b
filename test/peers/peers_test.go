package main

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNamesEachMissingPackageOnce(t *testing.T) {
	packages, err := missing([]string{"test", "bench"}, func(command string) bool { return command != "nginx" && command != "wrk" })
	if err != nil || !slices.Equal(packages, []string{"nginx", "wrk"}) {
		t.Errorf("missing %v, %v", packages, err)
	}
}

func TestRefusesUnknownGroup(t *testing.T) {
	if _, err := missing([]string{"nothing"}, has); err == nil {
		t.Error("accepted the group nothing")
	}
}

// A recorder is a machine that notes commands. A command that contains one of fails' keys fails as many times as its value says.
type recorder struct {
	fails    map[string]int
	commands []string
}

func (r *recorder) run(args ...string) error {
	command := strings.Join(args, " ")
	r.commands = append(r.commands, command)
	for part, n := range r.fails {
		if strings.Contains(command, part) && n > 0 {
			r.fails[part]--
			return errors.New("planted")
		}
	}
	return nil
}

func (r *recorder) count(part string) int {
	n := 0
	for _, c := range r.commands {
		if strings.Contains(c, part) {
			n++
		}
	}
	return n
}

func everything(string) bool { return true }

func TestUpdatesTheListsOnlyWhenInstallationFails(t *testing.T) {
	for _, c := range []struct{ fails, updates int }{{0, 0}, {1, 1}} {
		r := &recorder{fails: map[string]int{"curl": c.fails}}
		err := machine{has: everything, isRoot: true, run: r.run}.install([]string{"curl"})
		if err != nil || r.count("apt-get") == 0 || strings.HasSuffix(r.commands[len(r.commands)-1], "update") || r.count(" update") != c.updates {
			t.Errorf("%d failures: %v: %q", c.fails, err, r.commands)
		}
	}
}

func TestTakesThePolicyAwayAfterAFailure(t *testing.T) {
	r := &recorder{fails: map[string]int{"apt-get": 9}}
	policy := filepath.Join(t.TempDir(), "policy-rc.d")
	if err := (machine{has: everything, isRoot: true, policy: policy, run: r.run}).install([]string{"curl"}); err == nil {
		t.Error("no error from an installation that failed")
	}
	if r.count("install -m 755") != 1 || r.commands[len(r.commands)-1] != "rm -f "+policy {
		t.Errorf("the policy was not set, or stays: %q", r.commands)
	}
}

func TestSaysWhatToInstallWithoutRoot(t *testing.T) {
	for _, m := range []machine{
		{has: func(c string) bool { return c != "apt-get" }, isRoot: true, run: (&recorder{}).run},
		{has: everything, run: (&recorder{fails: map[string]int{"sudo": 1}}).run},
	} {
		err := m.install([]string{"curl", "wrk"})
		if !errors.Is(err, errCannotInstall) || !strings.Contains(err.Error(), "curl wrk") {
			t.Errorf("install: %v", err)
		}
	}
}

func TestInstallsBySudo(t *testing.T) {
	r := &recorder{}
	if err := (machine{has: everything, run: r.run}).install([]string{"curl"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.commands {
		if !strings.HasPrefix(c, "sudo -n ") {
			t.Errorf("not by sudo: %s", c)
		}
	}
}
