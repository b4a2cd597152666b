//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"
)

func names(workloads []workload) []string {
	var all []string
	for _, w := range workloads {
		all = append(all, w.name)
	}
	return all
}

func TestChoosesWorkloadsByPattern(t *testing.T) {
	for _, c := range []struct {
		patterns string
		two      bool
		want     string
	}{
		{"1k", false, "1k"},
		{"10m,1k*", false, "10m 1k 1k-1000"},
		{"two-*", false, "two-1k two-1k-1000"},
		{"", true, "two-1k two-1k-1000"},
		{"16k,two-1k", true, "two-16k two-1k"},
		{"", false, strings.Join(names(allWorkloads()), " ")},
	} {
		got, err := chooseWorkloads(c.patterns, c.two)
		if err != nil || strings.Join(names(got), " ") != c.want {
			t.Errorf("chooseWorkloads(%q, %t) = %v, %v; want %s", c.patterns, c.two, names(got), err, c.want)
		}
		for _, w := range got {
			if strings.HasPrefix(w.name, "two-") != (w.workers == 2) {
				t.Errorf("%s has %d workers", w.name, w.workers)
			}
		}
	}
	for _, patterns := range []string{"nothing", "1k,", "["} {
		if got, err := chooseWorkloads(patterns, false); err == nil {
			t.Errorf("chooseWorkloads(%q) = %v, want an error", patterns, names(got))
		}
	}
}

func TestRefusesWhatCannotBeMeasured(t *testing.T) {
	for _, line := range []string{
		"-rounds 0", "-duration 1ms", "-duration 1h", "-idle 1", "-proxies squid", "-proxies nginx,nginx", "-proxies base", "-cores x", "1k",
	} {
		if _, err := parseOptions(strings.Fields(line)); err == nil {
			t.Errorf("%q is accepted", line)
		}
	}
}

func TestOptionsHaveDefaults(t *testing.T) {
	o, err := parseOptions(strings.Fields("-cores 2,0,1 -base old -json"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.proxies, []string{"sluice", "nginx", "haproxy", "base"}) || o.format != formatJSON {
		t.Errorf("options = %+v", o)
	}
	if got := o.proxyCores(1); !slices.Equal(got, []int{2}) {
		t.Errorf("the proxy's core: %v", got)
	}
	if got := o.loadCores(1); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("the load's cores: %v", got)
	}
	if !slices.Equal(o.proxyCores(2), o.cores) || !slices.Equal(o.loadCores(2), o.cores) {
		t.Errorf("with two workers: %v and %v", o.proxyCores(2), o.loadCores(2))
	}
}

func TestEveryTemplateRenders(t *testing.T) {
	for name, kind := range peerKinds() {
		for _, w := range allWorkloads() {
			text, err := render(kind.template, newSetup("/tmp/x", w, 8080, 8081, 20000))
			if err != nil || !strings.Contains(string(text), "8080") || !strings.Contains(string(text), "127.0.0.1:8081") {
				t.Errorf("%s, %s: %v\n%s", name, w.name, err, text)
			}
			if splice := strings.Contains(string(text), "option splice"); splice != (name == "haproxy" && w.content >= 64<<10) {
				t.Errorf("%s, %s: splice is %t", name, w.name, splice)
			}
		}
	}
}
