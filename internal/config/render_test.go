package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sluice/internal/config"
)

func render(t *testing.T, d *config.Decoder, color bool) string {
	t.Helper()
	var out bytes.Buffer
	if err := d.Render(&out, color); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestRefusesWhatIsNoText has inputs that can't stand in a file of testdata.
func TestRefusesWhatIsNoText(t *testing.T) {
	const site = "sites: { \"http://a.example\": { to: 10.0.0.1:80 } }\n"
	for name, c := range map[string]struct{ input, want string }{
		"invalid UTF-8":   {site + "email: a\xff@b\n", "sluice.yaml:2:9: error[encoding]: byte 0xff is not valid UTF-8\n    2 | email: a\\xff@b\n      |         ^^^^\n"},
		"control":         {site + "# \x1b[31m\n", "sluice.yaml:2:3: error[encoding]: control character U+001B\n    2 | # \\x1b[31m\n      |   ^^^^\n"},
		"NUL":             {site + "email: \x00\n", "sluice.yaml:2:8: error[encoding]: control character U+0000\n"},
		"line separator":  {site + "# a\u2028b\n", "sluice.yaml:2:4: error[encoding]: line break U+2028: only LF and CRLF end a line\n"},
		"lone CR":         {site + "# a\rb: c\n", "sluice.yaml:2:4: error[encoding]: a carriage return without a line feed\n"},
		"UTF-16":          {"\xff\xfes\x00", "sluice.yaml:1:1: error[encoding]: this file is UTF-16 or UTF-32; a configuration is UTF-8\n"},
		"BOM inside":      {site + "# \ufeff\n", "sluice.yaml:2:3: error[encoding]: a byte order mark in the middle of the file\n"},
		"too large":       {strings.Repeat("#", 16<<20+1), "sluice.yaml: error[too-large]: a configuration file is at most 16MiB\n"},
		"too deep":        {site + "email: " + strings.Repeat("[", 101) + strings.Repeat("]", 101), "sluice.yaml:2:108: error[syntax]: nested deeper than 100 levels\n"},
		"too deep, JSON":  {`{"email": ` + strings.Repeat("[", 120) + strings.Repeat("]", 120) + "}", "sluice.yaml:1:110: error[syntax]: nested deeper than 100 levels\n"},
		"empty":           {"", "sluice.yaml:1:1: error[empty]: this file holds no settings\n"},
		"key with escape": {"\"a\\nb\": c\n" + site, "sluice.yaml:1:1: error[bad-key]: a control character in a key\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, d := load(map[string]string{"sluice.yaml": c.input})
			if got := render(t, d, false); !strings.Contains(got, c.want) || !d.Failed() {
				t.Errorf("got\n%.500s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestTakesAByteOrderMarkAndWindowsLines(t *testing.T) {
	c, d := load(map[string]string{"sluice.yaml": "\ufeffemail: a@example.com\r\nsites:\r\n  http://a.example:\r\n    to: 10.0.0.1:80\r\n    timeouts: { connect: 5 }\r\n"})
	if got := render(t, d, false); c.Email != "a@example.com" || !strings.HasPrefix(got, "sluice.yaml:5:26: error[bad-duration]") || strings.Contains(got, "\r") {
		t.Errorf("got %q, %q", c.Email, got)
	}
}

// TestBoundsAliases has an alias bomb, and aliases that nest deeper than text may.
func TestBoundsAliases(t *testing.T) {
	var bomb, deep strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	deep.WriteString("b0: &b0 [x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
		fmt.Fprintf(&deep, "b%d: &b%d %s*b%d%s\n", i, i, strings.Repeat("[", 50), i-1, strings.Repeat("]", 50))
	}
	for _, text := range []string{bomb.String(), deep.String()} {
		d := &config.Decoder{}
		d.Parse(config.Text("f.yaml", text), "f.yaml")
		if !d.Failed() || d.Diagnostics[0].Code != "alias" {
			t.Errorf("got %v", d.Diagnostics)
		}
	}
}

func TestBoundsTheNumberOfMessages(t *testing.T) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "wrong%d: 1\n", i)
	}
	_, d := load(map[string]string{"sluice.yaml": text.String()})
	got := render(t, d, false)
	if !strings.HasSuffix(got, "and 4901 more\n") || strings.Count(got, "error[") != 100 {
		t.Errorf("got …%s", got[len(got)-200:])
	}
}

func TestCutsLongLines(t *testing.T) {
	_, d := load(map[string]string{"sluice.yaml": "email: \"" + strings.Repeat("x", 5000) + "\"\nsites: {" + strings.Repeat(" ", 3000) + "wrong: " + strings.Repeat("y", 3000) + "}\n"})
	for line := range strings.Lines(render(t, d, false)) {
		if len(line) > 300 {
			t.Errorf("%d bytes in a line", len(line))
		}
		if strings.Contains(line, "|") && strings.Contains(line, "wrong") && !strings.Contains(line, "…") {
			t.Error(line)
		}
	}
}

func TestRendersColors(t *testing.T) {
	_, d := load(map[string]string{"sluice.yaml": "site: {}\n"})
	want := "sluice.yaml:1:1: \x1b[31;1merror[unknown-key]\x1b[0m: \"site\" is not a setting of the configuration\n" +
		"\x1b[2m    1 |\x1b[0m site: {}\n\x1b[2m      |\x1b[0m \x1b[31;1m^^^^\x1b[0m did you mean \"sites\"?\n"
	if got := render(t, d, true); got != want {
		t.Errorf("got %q", got)
	}
}

func TestRendersJSON(t *testing.T) {
	_, d := load(map[string]string{"sluice.yaml": "sites: {}\nsite: {}\n"})
	var out bytes.Buffer
	if err := d.RenderJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got struct{ Diagnostics []map[string]any }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"severity": "error", "code": "unknown-key", "file": "sluice.yaml", "line": 2.0, "column": 1.0, "end_column": 5.0,
		"text": `"site" is not a setting of the configuration`, "suggestion": `did you mean "sites"?`,
	}
	if len(got.Diagnostics) != 1 || fmt.Sprint(got.Diagnostics[0]) != fmt.Sprint(want) {
		t.Errorf("got %v", got)
	}
}

func TestReportsAFileThatCannotBeRead(t *testing.T) {
	d := &config.Decoder{}
	if c := config.Load(d, config.Disk(), "/nonexistent/sluice.yaml"); c != nil {
		t.Error("there is nothing to load")
	}
	if got := render(t, d, false); got != "/nonexistent/sluice.yaml: error[cannot-read]: no such file or directory\n" {
		t.Errorf("got %q", got)
	}
	d = &config.Decoder{}
	config.Load(d, config.Disk(), t.TempDir())
	if got := render(t, d, false); !strings.HasSuffix(got, "error[cannot-read]: is a directory\n") {
		t.Errorf("got %q", got)
	}
}

// TestNeverShowsASecret plants a value by each way of filling in, in each place that is refused.
func TestNeverShowsASecret(t *testing.T) {
	const secret = "hunter2 is:wrong\u0007"
	settings := strings.NewReplacer("@", `"${SECRET}"`, "%", `"${file:secret}"`).Replace(`
email: @
acme: { directory: @, eab: { kid: %, key: % }, challenges: @ }
limits: { fields: @, head: %, head_timeout: @, min_rate: @, connections: % }
log: { level: @, access: { format: %, file: @ } }
admin: { listen: @, metrics: % }
trusted_proxies: [@, %]
pools: { a: { servers: [@, %, { address: @, weight: % }], host: @, balance: % } }
sites:
  http://a.example: { to: @, forward: { hide: % }, routes: [{ match: @ }, { match: { path: %, path_regexp: @, method: %, client_ip: @, header: { a: @ } } }] }
include: @
`)
	d := &config.Decoder{}
	src := config.Files(map[string]string{"sluice.yaml": settings, "secret": secret}, map[string]string{"SECRET": secret})
	config.Load(d, src, "sluice.yaml")
	if got := render(t, d, false); strings.Contains(got, "hunter2") || !d.Failed() {
		t.Errorf("got %s", got)
	}
}
