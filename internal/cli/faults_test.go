package cli

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what the cases of testdata expect")

// A fault is one case of testdata/faults: "=== sentence", sluice.yaml, further files behind "@@ name", "---", what check has to say. Where the sentence begins with
// [escaped], the files have Go's escapes for bytes that can't stand in a text file.
type fault struct {
	name  string
	input string // as in testdata
	want  string
}

// TestEveryFaultIsNamed runs check on configs that people write by mistake: each is refused or warned of, and the messages are those of testdata, to the letter.
func TestEveryFaultIsNamed(t *testing.T) {
	t.Setenv("HOST", "10.0.0.7")
	t.Setenv("WORD", "planted-secret")
	t.Setenv("EMPTY", "")
	t.Setenv("LINES", "planted-secret\nX-B: c")
	t.Setenv("TEMPLATE", "{planted-secret}")
	names, _ := filepath.Glob("testdata/faults/*.txt")
	count := 0
	for _, file := range names {
		faults := readFaults(t, file)
		count += len(faults)
		for i := range faults {
			f := &faults[i]
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+f.name, func(t *testing.T) {
				got := f.check(t)
				if got != f.want && !*update {
					t.Errorf("got\n%s\nwant\n%s", got, f.want)
				}
				f.want = got
			})
		}
		if *update {
			writeFaults(t, file, faults)
		}
	}
	if count < 150 {
		t.Errorf("%d cases", count)
	}
}

// place is how a message begins that has a line and a column.
var place = regexp.MustCompile(`^[^ :]+:\d+:\d+: (error|warning)\[[a-z-]+\]: `)

// check writes the files of f, runs check in their folder, and returns what it said.
func (f *fault) check(t *testing.T) string {
	t.Chdir(t.TempDir())
	for name, content := range f.files(t) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	status := Main([]string{"check", "sluice.yaml"}, &stdout, &stderr)
	got := strings.TrimSpace(stderr.String())
	if failed := strings.Contains(got, "error["); got == "" || failed != (status == statusWrong) || failed != (stdout.Len() == 0) {
		t.Errorf("status %d\n%s%s", status, &stdout, got)
	}
	if strings.Contains(got, "planted-secret") || strings.Contains(got, "error[internal]") {
		t.Errorf("a secret is shown, or check failed:\n%s", got)
	}
	if first, _, _ := strings.Cut(got, "\n"); !place.MatchString(first) && !strings.Contains(first, "[empty]") {
		t.Errorf("no place: %s", first)
	}
	return got
}

// files splits the input into files by their names.
func (f *fault) files(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for i, part := range strings.Split("\n"+f.input, "\n@@ ") {
		name, content := "sluice.yaml", strings.TrimPrefix(part, "\n")
		if i > 0 {
			name, content, _ = strings.Cut(part, "\n")
			content += "\n"
		}
		if strings.HasPrefix(f.name, "[escaped]") {
			content = unescape(t, content)
		}
		files[name] = content
	}
	return files
}

// unescape replaces Go's escapes in text, which may have quotes and line breaks as they are.
func unescape(t *testing.T, text string) string {
	t.Helper()
	quoted := strings.NewReplacer("\"", `\"`, "\n", `\n`).Replace(text)
	plain, err := strconv.Unquote(`"` + quoted + `"`)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func readFaults(t *testing.T, file string) (faults []fault) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split("\n"+string(text), "\n=== ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		input, want, _ := strings.Cut("\n"+rest, "\n---\n\n")
		faults = append(faults, fault{name, strings.TrimSuffix(strings.TrimPrefix(input, "\n"), "\n") + "\n", strings.TrimSpace(want)})
	}
	return faults
}

func writeFaults(t *testing.T, file string, faults []fault) {
	t.Helper()
	var out strings.Builder
	for _, f := range faults {
		out.WriteString("=== " + f.name + "\n" + f.input + "---\n\n" + f.want + "\n\n")
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestHugeFaultsAreNamed runs check on configs that are too large for testdata.
func TestHugeFaultsAreNamed(t *testing.T) {
	const site = "sites:\n  http://a.test: { to: 10.0.0.1:80 }\n"
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += "a" + strconv.Itoa(i+1) + ": &a" + strconv.Itoa(i+1) + " [" + strings.TrimSuffix(strings.Repeat("*a"+strconv.Itoa(i)+", ", 9), ", ") + "]\n"
	}
	deep := "sites:\n"
	for i := range 120 {
		deep += strings.Repeat(" ", i+1) + "a:\n"
	}
	for name, c := range map[string]struct{ text, want string }{
		"deep brackets":  {site + "email: " + strings.Repeat("[", 5000) + "\n", "sluice.yaml:3:108: error[syntax]: nested deeper than 100 levels"},
		"deep maps":      {deep, "error[syntax]: nested deeper than 100 levels"},
		"deep JSON":      {`{ "sites": ` + strings.Repeat(`{ "a": `, 200) + "1" + strings.Repeat(" }", 201), "sluice.yaml:1:705: error[syntax]: nested deeper than 100 levels"},
		"aliases":        {bomb + site, "error[alias]: aliases may repeat 100000 values in all; this one goes beyond"},
		"too large":      {site + strings.Repeat("#", 16<<20), "sluice.yaml: error[too-large]: a configuration file is at most 16MiB"},
		"a long line":    {site + "log: { file: " + strings.Repeat("x", 1<<20) + ", lvel: info }\n", "sluice.yaml:3:1048592: error[unknown-key]: \"lvel\" is not a setting of log\n    3 | …"},
		"a long word":    {site + strings.Repeat("x", 1<<20) + ": y\n", "sluice.yaml:3:1: error[unknown-key]"},
		"many faults":    {site + strings.Repeat("  http://a.test: { too: x }\n", 5000), "and 4900 more"},
		"many documents": {strings.Repeat("---\n"+site, 1000), "sluice.yaml:4:1: error[syntax]: a second document begins here"},
	} {
		t.Run(name, func(t *testing.T) {
			f := fault{name: name, input: c.text}
			t.Chdir(t.TempDir())
			if err := os.WriteFile("sluice.yaml", []byte(f.input), 0o644); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			status := Main([]string{"check", "sluice.yaml"}, &stdout, &stderr)
			if status != statusWrong || !strings.Contains(stderr.String(), c.want) || stderr.Len() > 100_000 {
				t.Errorf("status %d\n%.3000s", status, &stderr)
			}
		})
	}
}
