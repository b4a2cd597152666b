package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// inProcess runs a command line in the test's own process.
func inProcess(t *testing.T, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&errs)
	status = execute(root)
	return out.String(), errs.String(), status
}

// everyCommand calls f for all commands that a user sees, as args.
func everyCommand(t *testing.T, f func(t *testing.T, c *cobra.Command, args []string)) {
	root := newRoot()
	root.InitDefaultCompletionCmd()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		t.Run(c.CommandPath(), func(t *testing.T) { f(t, c, strings.Fields(c.CommandPath())[1:]) })
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				walk(sub)
			}
		}
	}
	walk(root)
}

func TestHelpFitsAPlainTerminal(t *testing.T) {
	everyCommand(t, func(t *testing.T, c *cobra.Command, args []string) {
		stdout, stderr, status := inProcess(t, "", append(args, "--help")...)
		if status != 0 || stderr != "" {
			t.Fatalf("status %d %s", status, stderr)
		}
		for line := range strings.Lines(stdout) {
			if line = strings.TrimRight(line, "\n"); utf8.RuneCountInString(line) > helpWidth || strings.TrimRight(line, " ") != line {
				t.Errorf("%d characters, or blanks at the end: %q", utf8.RuneCountInString(line), line)
			}
		}
		isCompletion := strings.Contains(c.CommandPath(), "completion") // cobra's own, whose examples are in its text
		if !isCompletion && (!c.HasExample() || !strings.Contains(stdout, "\nExamples:\n  sluice")) {
			t.Errorf("no example in\n%s", stdout)
		}
	})
}

func TestWrapsParagraphs(t *testing.T) {
	for text, want := range map[string]string{
		"a bb ccc dddd":        "a bb\nccc\ndddd",
		"a\nbb\n\nccc":         "a bb\n\nccc",
		"a:\n\n  x y z w v\nb": "a:\n\n  x y z w v\nb",
		"aaaaaaaa b":           "aaaaaaaa\nb",
	} {
		if got := wrapped(text, 5); got != want {
			t.Errorf("%q is wrapped to %q, want %q", text, got, want)
		}
	}
}

func TestCompletesFlagsAndFiles(t *testing.T) {
	for line, want := range map[string]string{
		"check ":         "yaml\nyml\njson\n:8\n",
		"fmt a.yaml ":    "yaml\nyml\njson\n:8\n",
		"run --config ":  "yaml\nyml\njson\n:8\n",
		"run ":           ":4\n",
		"explain ":       "GET\nHEAD\nPOST\nPUT\nPATCH\nDELETE\nOPTIONS\n:4\n",
		"explain GET ":   ":4\n",
		"man ":           ":16\n",
		"fmt --ch":       "--check\twrite nothing; name the files that differ and end with status 1\n:4\n",
		"che":            "check\tSay what is wrong with config files\n:4\n",
		"completion zs":  "zsh\tGenerate the autocompletion script for zsh\n:4\n",
		"status --admin": "--admin\tadmin `address`",
	} {
		stdout, _, status := inProcess(t, "", append([]string{"__complete"}, strings.Split(line, " ")...)...)
		if status != 0 || !strings.HasPrefix(stdout, want) {
			t.Errorf("%q is completed by %q, want %q", line, stdout, want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		stdout, _, status := inProcess(t, "", "completion", shell)
		if status != 0 || !strings.Contains(stdout, "__complete") {
			t.Errorf("%s: status %d, %.200q", shell, status, stdout)
		}
		if path, err := exec.LookPath(shell); err == nil {
			check := exec.Command(path, "-n")
			check.Stdin = strings.NewReader(stdout)
			if output, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", shell, err, output)
			}
		}
	}
}

func TestWritesAManualPageForEachCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	if _, stderr, status := inProcess(t, "", "man", dir); status != 0 {
		t.Fatal(stderr)
	}
	everyCommand(t, func(t *testing.T, c *cobra.Command, _ []string) {
		if c.Name() == "completion" || c.HasParent() && c.Parent().Name() == "completion" {
			return // cobra makes them at the time of a call
		}
		name := filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1")
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{".TH ", ".SH NAME\n", ".SH DESCRIPTION\n", ".SH EXAMPLES\n"} {
			if !strings.Contains(string(page), want) {
				t.Errorf("no %q in\n%s", want, page)
			}
		}
		if groff, err := exec.LookPath("groff"); err == nil {
			if output, err := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z", name).CombinedOutput(); err != nil || len(output) > 0 {
				t.Errorf("%v\n%s", err, output)
			}
		}
	})
	if _, stderr, status := inProcess(t, "", "man"); status != 2 || !strings.Contains(stderr, "name one folder") {
		t.Errorf("status %d %s", status, stderr)
	}
}

func TestFmtWritesFilesInPlace(t *testing.T) {
	t.Chdir(t.TempDir())
	const before, after = "a:   1 # x\nb: [1,2]\n", "a: 1 # x\nb: [1, 2]\n"
	put := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	put("a.yaml", before, 0o640)
	put("b.yaml", after, 0o644)
	put("bad.yaml", "a: [1\n", 0o644)
	if err := os.Symlink("a.yaml", "link.yaml"); err != nil {
		t.Fatal(err)
	}
	if stdout, _, status := inProcess(t, "", "fmt", "--check", "a.yaml", "b.yaml"); status != 1 || stdout != "a.yaml\n" {
		t.Errorf("--check: status %d %q", status, stdout)
	}
	const diff = "--- a.yaml\n+++ a.yaml\n@@ -1,2 +1,2 @@\n-a:   1 # x\n-b: [1,2]\n+a: 1 # x\n+b: [1, 2]\n"
	if stdout, _, status := inProcess(t, "", "fmt", "--diff", "a.yaml"); status != 0 || stdout != diff {
		t.Errorf("--diff: status %d %q", status, stdout)
	}
	if _, stderr, status := inProcess(t, "", "fmt", "bad.yaml", "link.yaml"); status != 2 || !strings.Contains(stderr, "bad.yaml:1:4: error[syntax]") {
		t.Errorf("status %d %s", status, stderr)
	}
	text, _ := os.ReadFile("a.yaml")
	info, _ := os.Lstat("a.yaml")
	link, _ := os.Lstat("link.yaml")
	if string(text) != after || info.Mode() != 0o640 || link.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%q %v %v", text, info.Mode(), link.Mode())
	}
	if left, _ := filepath.Glob(".sluice-fmt-*"); len(left) > 0 {
		t.Error(left)
	}
	if _, _, status := inProcess(t, "", "fmt", "--check", "a.yaml", "b.yaml"); status != 0 {
		t.Errorf("--check after fmt: status %d", status)
	}
	if stdout, _, status := inProcess(t, before, "fmt", "-"); status != 0 || stdout != after {
		t.Errorf("-: status %d %q", status, stdout)
	}
	if stdout, _, status := inProcess(t, before, "fmt", "--check", "-"); status != 1 || stdout != "standard input\n" {
		t.Errorf("--check -: status %d %q", status, stdout)
	}
	if stdout, _, status := inProcess(t, after, "fmt", "--check", "-"); status != 0 || stdout != "" {
		t.Errorf("--check -, formatted: status %d %q", status, stdout)
	}
	if stdout, _, status := inProcess(t, before, "fmt", "--diff", "-"); status != 0 || stdout != strings.ReplaceAll(diff, "a.yaml", "standard input") {
		t.Errorf("--diff -: status %d %q", status, stdout)
	}
	if _, stderr, status := inProcess(t, "", "fmt"); status != 1 || !strings.Contains(stderr, "sluice.yaml: no such file") {
		t.Errorf("status %d %s", status, stderr)
	}
}

func TestUnifiedShowsChangesWithTheirSurroundings(t *testing.T) {
	before := "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n"
	after := strings.Replace(strings.Replace(before, "3\n", "", 1), "15\n", "x\ny\n", 1)
	const want = "--- f\n+++ f\n@@ -1,6 +1,5 @@\n 1\n 2\n-3\n 4\n 5\n 6\n@@ -12,5 +11,6 @@\n 12\n 13\n 14\n-15\n+x\n+y\n 16\n"
	if got := unified("f", before, after); got != want {
		t.Errorf("got\n%s", got)
	}
}
