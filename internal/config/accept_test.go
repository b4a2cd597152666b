package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/internal/config"
)

// told returns the diagnostics of a file, "line:column code".
func told(text string) (all []string) {
	d := &config.Decoder{}
	config.Load(d, config.Text("f", text), "f")
	d.Accept()
	d.Sort()
	for _, diag := range d.Diagnostics {
		all = append(all, fmt.Sprintf("%d:%d %s", diag.Pos.Line, diag.Pos.Column, diag.Code))
	}
	return all
}

func TestAFileAcceptsWarnings(t *testing.T) {
	const site = "sites: { http://a: { to: 10.0.0.1:80 } }\npools:\n"
	for text, want := range map[string][]string{
		site + "  spare: { servers: [10.0.0.2:80] }\n":                                                                     {"3:3 unused-pool"},
		site + "  spare: { servers: [10.0.0.2:80] } # accept: unused-pool\n":                                               nil,
		site + "  # Kept warm. accept: unused-pool\n  spare: { servers: [10.0.0.2:80] }\n":                                 {"4:3 unused-pool"},
		site + "  # accept: unused-pool\n  # for later\n  spare: { servers: [10.0.0.2:80] }\n":                             nil,
		site + "  # accept: unused-pool\n  a: { servers: [10.0.0.2:80] }\n  b: { servers: [10.0.0.2:80] }\n":               {"5:3 unused-pool"},
		site + "  spare: { servers: [10.0.0.2:80] } #accept:trusts-everyone , unused-pool\n":                               {"3:45 accepts-nothing"},
		site + "  spare: { servers: [10.0.0.2:80] } # accept: unused-pol\n":                                                {"3:3 unused-pool", "3:47 accepts-nothing"},
		"# accept: unknown-key\nsits: 1\n" + site + "  p: { servers: [10.0.0.2:80] } # accept: unused-pool\n":              {"1:11 accepts-nothing", "2:1 unknown-key"},
		"trusted_proxies: [10.0.0.0/8, 0.0.0.0/0] # accept: trusts-everyone\nsites: { http://a: { to: [10.0.0.1:80] } }\n": nil,
	} {
		if got := told(text); !slices.Equal(got, want) {
			t.Errorf("%s got %q, want %q", text, got, want)
		}
	}
}

// Each code that is reported as a warning can be accepted, and none else.
func TestAllWarningsHaveANameToAccept(t *testing.T) {
	reported := map[string]bool{"accepts-nothing": true}
	find := regexp.MustCompile(`Warnf\([^,]+, "([a-z-]+)"|Warning, "([a-z-]+)"|Severity: Warning, Code: "([a-z-]+)"`)
	files, _ := filepath.Glob("../*/*.go")
	more, _ := filepath.Glob("../*/*/*.go")
	for _, name := range append(files, more...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range find.FindAllSubmatch(text, -1) {
			if !strings.HasSuffix(name, "_test.go") {
				reported[string(m[1])+string(m[2])+string(m[3])] = true
			}
		}
	}
	for code := range reported {
		if got := told("# accept: " + code + "\nsites: { http://a: { to: 10.0.0.1:80 } }\n"); len(got) != 1 {
			t.Fatal(code, got)
		}
		d := &config.Decoder{}
		config.Load(d, config.Text("f", "# accept: "+code+"\nsites: { http://a: { to: 10.0.0.1:80 } }\n"), "f")
		d.Accept()
		if want := fmt.Sprintf("there is no warning %q in line 2", code); d.Diagnostics[0].Text != want {
			t.Errorf("%s: %s", code, d.Diagnostics[0].Text)
		}
	}
	if len(reported) != 16 {
		t.Errorf("%v", reported)
	}
}
