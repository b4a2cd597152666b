package repo

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var documentRules = []rule{
	{"document", "who comes new needs it, and it begins with a heading", checkDocuments},
	{"map-length", "a map that is longer than 300 lines is not read: details belong to the packages' comments", checkMapLength},
	{"adr", "docs/adr/NNNN-title.md has the headings Context, Choice, Rejected ways, When to look again", checkDecisions},
	{"life", "docs/life-of-a-request.md names files and functions as `file.go:Type.Func`: they must be there", checkLife},
	{"link", "a link in a document must lead somewhere", checkLinks},
	{"registry", "no file names the host of a package registry: which one is used is the machine's setting", checkRegistries},
	{"make-target", "make help lists every target, and documents name only targets that are there", checkMakeTargets},
	{"dependency", "each module that is used and each tool has a line in docs/dependencies.md: what for, where, why this one", checkDependencyTable},
	{"feature-folder", "a feature NAME is internal/filter/NAME with NAME.go and a test", checkFeatureFolders},
}

// documents are those that must be there.
var documents = []string{
	"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md", "docs/life-of-a-request.md", "docs/threat-model.md", "docs/glossary.md",
	"docs/dependencies.md",
}

func checkDocuments(t *tree) {
	for _, name := range documents {
		f := t.file(name)
		switch {
		case f == nil:
			t.atLine(&file{path: name}, 1, "is missing")
		case !strings.HasPrefix(f.text, "# "):
			t.atLine(f, 1, "does not begin with a heading")
		}
	}
}

func checkMapLength(t *tree) {
	if f := t.file("docs/ARCHITECTURE.md"); f != nil {
		if n := strings.Count(f.text, "\n"); n > mapLines {
			t.atLine(f, 1, fmt.Sprintf("has %d lines", n))
		}
	}
}

var (
	decisionName  = regexp.MustCompile(`^\d{4}(-[a-z0-9]+)+\.md$`)
	decisionParts = []string{"\n## Context\n", "\n## Choice\n", "\n## Rejected ways\n", "\n## When to look again\n"}
)

func checkDecisions(t *tree) {
	numbers := map[string]bool{}
	for _, f := range t.files {
		base := path.Base(f.path)
		if f.dir != "docs/adr" {
			continue
		}
		if !decisionName.MatchString(base) {
			t.atLine(f, 1, "is not named NNNN-title.md")
			continue
		}
		if numbers[base[:4]] {
			t.atLine(f, 1, "has the number of another one")
		}
		numbers[base[:4]] = true
		for _, part := range decisionParts {
			if !strings.Contains(f.text, part) {
				t.atLine(f, 1, "has no heading"+strings.TrimRight(strings.ReplaceAll(part, "\n## ", " "), "\n"))
			}
		}
	}
}

// codeName is how documents name a function: `internal/serve/serve.go:Server.Exchange`.
var codeName = regexp.MustCompile("`([\\w./]+\\.go):(?:(\\w+)\\.)?(\\w+)`")

func checkLife(t *tree) {
	for _, f := range t.files {
		if path.Ext(f.path) != ".md" {
			continue
		}
		for i, line := range strings.Split(f.text, "\n") {
			for _, m := range codeName.FindAllStringSubmatch(line, -1) {
				if !t.declares(m[1], m[2], m[3]) {
					t.atLine(f, i+1, strings.Trim(m[0], "`")+" is not there")
				}
			}
		}
	}
}

// declares reports whether the file at name declares that function, or method of typeName.
func (t *tree) declares(name, typeName, funcName string) bool {
	f := t.file(name)
	if f == nil || f.syntax == nil {
		return false
	}
	return slices.ContainsFunc(f.syntax.Decls, func(d ast.Decl) bool {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Name.Name != funcName {
			return false
		}
		return typeName == "" && fn.Recv == nil || fn.Recv != nil && receiver(fn) == typeName
	})
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)

func checkLinks(t *tree) {
	for _, f := range t.files {
		if path.Ext(f.path) != ".md" {
			continue
		}
		for i, line := range strings.Split(f.text, "\n") {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				if to := path.Join(f.dir, m[1]); !strings.Contains(m[1], "://") && !t.exists(to) {
					t.atLine(f, i+1, to+" is not there")
				}
			}
		}
	}
}

// exists reports whether there is a file or folder of that name.
func (t *tree) exists(name string) bool {
	if t.root != "" {
		_, err := os.Stat(filepath.Join(t.root, name))
		return err == nil
	}
	return slices.ContainsFunc(t.files, func(f *file) bool { return f.path == name || strings.HasPrefix(f.path, name+"/") })
}

var registryHost = regexp.MustCompile(`(proxy|sum)\.golang\.org|(deb|security|snapshot)\.debian\.org|archive\.ubuntu\.com|registry\.npmjs\.org|pypi\.org|` +
	`files\.pythonhosted\.org|\bcrates\.io|rubygems\.org|repo\d*\.maven\.org|\b(docker|ghcr|quay)\.io\b`)

func checkRegistries(t *tree) {
	for _, f := range t.files {
		for i, line := range strings.Split(f.text, "\n") {
			if host := registryHost.FindString(line); host != "" {
				t.atLine(f, i+1, "names "+host)
			}
		}
	}
}

var (
	makeTarget = regexp.MustCompile(`^([a-z][a-z-]*):([^=]|$)`)
	makeCall   = regexp.MustCompile("(?:`|^)make ([a-z][a-z-]*)")
)

func checkMakeTargets(t *tree) {
	makefile := t.file("Makefile")
	if makefile == nil {
		return
	}
	targets := map[string]bool{}
	for i, line := range strings.Split(makefile.text, "\n") {
		if m := makeTarget.FindStringSubmatch(line); m != nil {
			targets[m[1]] = true
			if !strings.Contains(line, " ## ") {
				t.atLine(makefile, i+1, m[1]+" has no ## comment")
			}
			if !strings.Contains(makefile.text, ".PHONY: "+m[1]+"\n") {
				t.atLine(makefile, i+1, m[1]+" is not .PHONY")
			}
		}
	}
	for _, f := range t.files {
		if path.Ext(f.path) != ".md" {
			continue
		}
		for i, line := range strings.Split(f.text, "\n") {
			for _, m := range makeCall.FindAllStringSubmatch(line, -1) {
				if !targets[m[1]] {
					t.atLine(f, i+1, "make "+m[1]+" is not a target")
				}
			}
		}
	}
}

// modLine is a line of go.mod that names a module with its version, or a tool.
var modLine = regexp.MustCompile(`^(?:require |tool |\t)([a-z0-9.-]+\.[a-z]+/\S+)(?: v\S+)?( // indirect)?(?: //.*)?$`)

func checkDependencyTable(t *tree) {
	mod, table := t.file("go.mod"), t.file("docs/dependencies.md")
	if mod == nil || table == nil {
		return
	}
	for i, line := range strings.Split(mod.text, "\n") {
		if m := modLine.FindStringSubmatch(line); m != nil && m[2] == "" && !strings.Contains(table.text, "`"+m[1]+"`") {
			t.atLine(mod, i+1, m[1]+" has no line in docs/dependencies.md")
		}
	}
}

func checkFeatureFolders(t *tree) {
	for _, p := range t.packages {
		if path.Dir(p.dir) != "internal/filter" || isDouble(p.dir) || len(p.productFiles()) == 0 {
			continue
		}
		if t.file(p.dir+"/"+path.Base(p.dir)+".go") == nil {
			t.atLine(p.files[0], 1, p.dir+" has no "+path.Base(p.dir)+".go")
		}
		if !slices.ContainsFunc(t.files, func(f *file) bool { return f.dir == p.dir && f.isTest }) {
			t.atLine(p.files[0], 1, p.dir+" has no test")
		}
	}
}
