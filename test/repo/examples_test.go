package repo

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// An example is a config in a document, between "```yaml" and "```". A block that begins with "```yaml fragment" is not a whole config.
type example struct {
	name string // document and line
	text string
}

var exampleBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

func (t *tree) examples() []example {
	var found []example
	for _, f := range t.files {
		if path.Ext(f.path) != ".md" {
			continue
		}
		for _, m := range exampleBlock.FindAllStringSubmatchIndex(f.text, -1) {
			line := strings.Count(f.text[:m[2]], "\n") + 1
			found = append(found, example{fmt.Sprintf("%s:%d", f.path, line), f.text[m[2]:m[3]]})
		}
	}
	return found
}

func TestConfigExamplesPassCheck(t *testing.T) {
	tr, err := loadTree("../..")
	if err != nil {
		t.Fatal(err)
	}
	if tr.file("cmd/sluice/main.go") == nil {
		t.Skip("there is no cmd/sluice yet")
	}
	dir := t.TempDir()
	sluice := filepath.Join(dir, "sluice")
	if out, err := exec.Command("go", "build", "-o", sluice, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	// The secrets of examples are files that nobody has: there is one for all of them.
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("0123456789abcdef0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	secrets := regexp.MustCompile(`\$\{file:[^}]+\}`)
	check := func(e example) (string, error) {
		e.text = secrets.ReplaceAllString(e.text, "$${file:secret}")
		name := filepath.Join(dir, "example.yaml")
		if err := os.WriteFile(name, []byte(e.text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(sluice, "check", name).CombinedOutput()
		return string(out), err
	}
	for _, e := range tr.examples() {
		if out, err := check(e); err != nil {
			t.Errorf("%s does not pass check: %v\n%s", e.name, err, out)
		}
	}
	if out, err := check(example{"planted", "sitse: {}\n"}); err == nil {
		t.Errorf("a config with an unknown key passes check:\n%s", out)
	}
}

func TestFindsConfigExamples(t *testing.T) {
	tr := newTree(map[string]string{"README.md": "# A\n\n```yaml\nsites: {}\n```\n\n```yaml fragment\nno: 1\n```\n\n```yaml\n```\n"})
	found := tr.examples()
	if len(found) != 2 || found[0] != (example{"README.md:4", "sites: {}\n"}) || found[1].text != "" {
		t.Errorf("found %q", found)
	}
}
