package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	for _, c := range newRoot().Commands() {
		stdout, stderr, status := outcome(t, sluice(t, c.Name(), "--help"))
		if status != 0 || stderr != "" || !strings.Contains(stdout, "Examples:\n  sluice "+c.Name()) {
			t.Errorf("%s --help: status %d\n%s%s", c.Name(), status, stdout, stderr)
		}
	}
	stdout, _, status := outcome(t, sluice(t))
	for _, want := range []string{"  run ", "  serve ", "  demo ", "  check ", "  version ", "Examples:"} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("status %d, no %q in\n%s", status, want, stdout)
		}
	}
}

func TestWrongCallsAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		"run --confg a.yaml":                           `unknown flag: --confg` + "\n\n" + `"sluice run --help" tells more.`,
		"rnu":                                          "Did you mean this?\n\trun",
		"run a.yaml":                                   `unexpected argument "a.yaml"`,
		"run --config":                                 "flag needs an argument: --config",
		"check":                                        "name a config file",
		"explain GET":                                  "name a method and a URL",
		"explain GET /x":                               `"/x" is not a URL`,
		"explain GET https://a.test/":                  "TLS is not built yet",
		"explain GET http://a.test/ --client x":        "--client x: it is not an IP address",
		"explain GET http://a.test/ -H X":              "write it as 'Name: value'",
		"explain G(T http://a.test/":                   "neither a method nor a URL",
		"config a.yaml":                                `unexpected argument "a.yaml"`,
		"apply a.yaml --for -5s":                       "--for is a time from 1s to 24h0m0s, or 0 for no trial, not -5s",
		"apply a.yaml --for 999ms":                     "--for is a time from 1s",
		"apply a.yaml --for 24h1s":                     "--for is a time from 1s",
		"top --every 0s":                               "--every is a time from 100ms to 1m, not 0s",
		"top --once --every -1s":                       "--every is a time from 100ms to 1m",
		"top --every 61s":                              "--every is a time from 100ms to 1m",
		"completion tcsh":                              `"tcsh" is not one of the shells: bash, fish, powershell, zsh`,
		"version now":                                  `unexpected argument "now"`,
		"serve":                                        "name a server to forward to: --to",
		"serve --to 10.0.0.1":                          "--to 10.0.0.1: an address needs a port",
		"serve --to 10.0.0.1:80 10.0.0.2:80":           `unexpected argument "10.0.0.2:80"`,
		"serve --to 10.0.0.1:80 --from http://a/b":     "--from http://a/b: a site's name has no path",
		"serve --to 10.0.0.1:80 --listen 8080":         "--listen 8080: write a port (:80)",
		"serve --to 10.0.0.1:80 --listen :http":        "--listen :http: ",
		"serve --to 10.0.0.1:80 --listen name:80":      `error[bad-address]`,
		"serve --to 10.0.0.1:80 --from shop.example":   `error[not-built]: TLS is not built yet`,
		"serve --to 10.0.0.1:80 --to http://10.0.0.1/": "--to http://10.0.0.1/: an address ends with its port",
	} {
		stdout, stderr, status := outcome(t, sluice(t, strings.Fields(line)...))
		if status != 2 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, want 2 and %q\n%s%s", line, status, want, stdout, stderr)
		}
	}
}

func TestVersionIsOneLine(t *testing.T) {
	stdout, _, status := outcome(t, sluice(t, "version"))
	if status != 0 || !strings.HasPrefix(stdout, "sluice ") || strings.Count(stdout, "\n") != 1 {
		t.Errorf("status %d, %q", status, stdout)
	}
}

func TestShellsCanComplete(t *testing.T) {
	stdout, _, status := outcome(t, sluice(t, "completion", "bash"))
	if status != 0 || !strings.Contains(stdout, "complete ") {
		t.Errorf("status %d, %.200q", status, stdout)
	}
}

const (
	goodConfig = "pools: { a: { servers: [127.0.0.1:1] }, unused: { servers: [127.0.0.1:2] } }\nsites: { http://a.test: { to: a }, http://b.test: { to: 127.0.0.1:3 } }\n"
	badConfig  = "sites:\n  http://a.test:\n    too: 127.0.0.1:1\n    limits: { request_body: lots }\n"
)

func TestCheckSaysWhatIsWrong(t *testing.T) {
	good, bad := write(t, goodConfig), write(t, badConfig)
	stdout, stderr, status := outcome(t, sluice(t, "check", bad, good))
	if status != 2 || stdout != good+": ok, 2 sites, 2 pools\n" {
		t.Errorf("status %d, standard output %q", status, stdout)
	}
	for _, want := range []string{
		bad + `:3:5: error[unknown-key]: "too" is not a setting of a site` + "\n    3 |     too: 127.0.0.1:1\n      |     ^^^ did you mean \"to\"?\n",
		bad + ":4:29: error[", good + `:1:41: warning[unused-pool]: no site sends requests to pool "unused"`,
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
	if strings.Contains(stderr, "\x1b") {
		t.Errorf("colours where there is no terminal:\n%q", stderr)
	}
	if _, stderr, status := outcome(t, sluice(t, "check", good)); status != 0 || !strings.Contains(stderr, "warning[") {
		t.Errorf("status %d for a config with a warning\n%s", status, stderr)
	}
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if _, stderr, status := outcome(t, sluice(t, "check", missing)); status != 2 || !strings.Contains(stderr, missing+": error[cannot-read]") {
		t.Errorf("status %d for a file that is missing\n%s", status, stderr)
	}
}

func TestCheckReadsStandardInput(t *testing.T) {
	t.Chdir(t.TempDir())
	const included = "sites:\n  http://a.test: { to: 10.0.0.1:80 }\n"
	if err := os.WriteFile("site.yaml", []byte(included), 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, status := inProcess(t, "include: site.yaml\n", "check", "-"); status != 0 || stdout != "stdin: ok, 1 site, 1 pool\n" {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	if _, stderr, status := inProcess(t, "sits: 1\n", "check", "-"); status != 2 || !strings.Contains(stderr, "stdin:1:1: error[unknown-key]") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	if stdout, _, status := inProcess(t, "sits: 1\n", "check", "--json", "-"); status != 2 || !strings.Contains(stdout, `"stdin"`) {
		t.Errorf("status %d\n%s", status, stdout)
	}
}

func TestCheckTellsEditorsTheSame(t *testing.T) {
	good, bad := write(t, goodConfig), write(t, badConfig)
	stdout, stderr, status := outcome(t, sluice(t, "check", "--json", bad, good))
	var report struct {
		Diagnostics []struct {
			Severity, Code, File string
			Line, Column         int
		}
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || status != 2 || stderr != "" {
		t.Fatalf("%v, status %d\n%s%s", err, status, stdout, stderr)
	}
	d := report.Diagnostics
	if len(d) != 3 || d[0].File != bad || d[0].Line != 3 || d[0].Column != 5 || d[0].Code != "unknown-key" || d[2].File != good || d[2].Severity != "warning" {
		t.Errorf("got %+v", d)
	}
	stdout, _, status = outcome(t, sluice(t, "check", "--json", write(t, "sites: { http://a.test: { to: 127.0.0.1:1 } }")))
	if status != 0 || strings.Join(strings.Fields(stdout), "") != `{"diagnostics":[]}` {
		t.Errorf("status %d, %s for a good file", status, stdout)
	}
}

func TestExplainSaysWhatHappensToARequest(t *testing.T) {
	file := write(t, "sites:\n  http://a.test:8080:\n    to: 127.0.0.1:1\n    routes:\n      - match: /x*\n        respond: 204\n")
	stdout, stderr, status := outcome(t, sluice(t, "explain", "GET", "http://a.test:8080/y?q#f", "-c", file, "-H", "X-A: 1", "--client", "10.0.0.7"))
	for _, want := range []string{
		"site   http://a.test:8080", file + ":2\n", "  not  1 /x*", file + ":5", "path: /y is not /x*\n", "route  none: the site itself takes it\n",
		"  to  127.0.0.1:1  ", "pool  http://127.0.0.1:1", "\n    GET /y?q HTTP/1.1\n    Host: a.test:8080\n    X-A: 1\n    X-Real-IP: 10.0.0.7\n",
	} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("status %d, no %q in\n%s%s", status, want, stdout, stderr)
		}
	}
	stdout, _, status = outcome(t, sluice(t, "explain", "GET", "http://a.test:8080/x", "-c", file, "--json"))
	var answer struct {
		Route, Answered string
		Steps           []struct{ Name, At, Against string }
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil || status != 0 || answer.Route != "1 /x*" || !strings.HasPrefix(answer.Answered, "HTTP/1.1 204 ") || len(answer.Steps) != 1 {
		t.Errorf("%v, status %d\n%s", err, status, stdout)
	}
	stdout, _, status = outcome(t, sluice(t, "explain", "GET", "http://b.test:8080/x", "-c", file, "-H", "host: a.test:8080"))
	if status != 0 || !strings.Contains(stdout, "route  1 /x*") {
		t.Errorf("status %d\n%s", status, stdout)
	}
	if _, stderr, status := outcome(t, sluice(t, "explain", "GET", "http://a.test/", "-c", write(t, badConfig))); status != 2 || !strings.Contains(stderr, "error[unknown-key]") {
		t.Errorf("status %d\n%s", status, stderr)
	}
}

func TestConfigShowsWhatIsInForce(t *testing.T) {
	t.Setenv("SLUICE_TEST_KEY", "planted")
	file := write(t, "defaults: { headers: { request: { set: { X-Key: \"${SLUICE_TEST_KEY}\" } } } }\nsites: { http://a.test: { to: 127.0.0.1:1 } }\n")
	stdout, stderr, status := outcome(t, sluice(t, "config", "-c", file))
	if status != 0 || !strings.Contains(stdout, "  http://a.test:\n    headers:\n      request:\n        set:\n          X-Key: \"${SLUICE_TEST_KEY}\"\n    to: 127.0.0.1:1\n") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	if _, stderr, status := outcome(t, sluice(t, "config", "-c", write(t, badConfig))); status != 2 || !strings.Contains(stderr, "error[unknown-key]") {
		t.Errorf("status %d\n%s", status, stderr)
	}
}

func TestSchemaIsJSON(t *testing.T) {
	stdout, _, status := outcome(t, sluice(t, "schema"))
	var schema struct {
		Properties map[string]any
	}
	if err := json.Unmarshal([]byte(stdout), &schema); err != nil || status != 0 || schema.Properties["sites"] == nil {
		t.Errorf("%v, status %d, %.200s", err, status, stdout)
	}
}

func TestFindsTheFirstConfigThatIsThere(t *testing.T) {
	dir := t.TempDir()
	none, first, second := filepath.Join(dir, "none"), filepath.Join(dir, "first"), filepath.Join(dir, "second")
	for _, name := range []string{first, second} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := findConfig([]string{none, first, second}); err != nil || got != first {
		t.Errorf("found %q, %v", got, err)
	}
	if _, err := findConfig([]string{none}); err == nil || !strings.Contains(err.Error(), none) {
		t.Errorf("error %v", err)
	}
}
