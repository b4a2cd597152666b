package config_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/config"
)

var update = flag.Bool("update", false, "rewrite what the cases of testdata expect")

// features are keys that the cases use as those of features.
func features() []string {
	return []string{"respond", "redirect", "rewrite", "headers", "error_pages", "rate_limit", "cache"}
}

// A goldenCase is one part of a file of testdata: "=== sentence", a configuration, "---", the rendered messages.
type goldenCase struct {
	name, input, want string
}

func readCases(t *testing.T, file string) []goldenCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	for _, part := range strings.Split("\n"+string(text), "\n=== ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		input, want, found := strings.Cut("\n"+rest, "\n---\n")
		if !found {
			input, want = strings.TrimSuffix("\n"+rest, "\n"), ""
		}
		cases = append(cases, goldenCase{name, strings.TrimPrefix(input, "\n") + "\n", strings.TrimSpace(want)})
	}
	return cases
}

func writeCases(t *testing.T, file string, cases []goldenCase) {
	t.Helper()
	var out strings.Builder
	for _, c := range cases {
		out.WriteString("=== " + c.name + "\n" + c.input + "---\n" + c.want + "\n")
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// files splits an input into files at lines "@@ name"; what comes before is sluice.yaml.
func files(input string) map[string]string {
	parts := strings.Split("\n"+input, "\n@@ ")
	out := map[string]string{"sluice.yaml": strings.TrimPrefix(parts[0], "\n")}
	for _, part := range parts[1:] {
		name, content, _ := strings.Cut(part, "\n")
		out[name] = content + "\n"
	}
	return out
}

// load reads files with the environment that the cases use.
func load(files map[string]string) (*config.Config, *config.Decoder) {
	d := &config.Decoder{Features: features()}
	env := map[string]string{"HOST": "10.0.0.7", "PORT": "8080", "EMPTY": "", "LINES": "a\nb", "TIME": "5 parsecs"}
	return config.Load(d, config.Files(files, env), "sluice.yaml"), d
}

// TestSaysWhatIsWrong compares the messages for the cases of testdata, all of which are refused or warned of.
func TestSaysWhatIsWrong(t *testing.T) {
	names, _ := filepath.Glob("testdata/bad-*.txt")
	if len(names) == 0 {
		t.Fatal("no cases")
	}
	for _, file := range names {
		cases := readCases(t, file)
		for i, c := range cases {
			t.Run(filepath.Base(file)+"/"+c.name, func(t *testing.T) {
				_, d := load(files(c.input))
				var out bytes.Buffer
				if err := d.Render(&out, false); err != nil {
					t.Fatal(err)
				}
				got := strings.TrimSpace(out.String())
				cases[i].want = got
				if got == "" {
					t.Error("nothing was said")
				}
				if got != c.want && !*update {
					t.Errorf("got\n%s\nwant\n%s", got, c.want)
				}
			})
		}
		if *update {
			writeCases(t, file, cases)
		}
	}
}

// TestAcceptsWhatIsRight reads the cases of testdata that have nothing wrong.
func TestAcceptsWhatIsRight(t *testing.T) {
	for _, c := range readCases(t, "testdata/good.txt") {
		t.Run(c.name, func(t *testing.T) {
			_, d := load(files(c.input))
			var out bytes.Buffer
			if err := d.Render(&out, false); err != nil {
				t.Fatal(err)
			}
			if out.Len() > 0 {
				t.Error(out.String())
			}
		})
	}
}
