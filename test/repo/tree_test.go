package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A tree is the files of the repository, or of a planted example.
type tree struct {
	root     string // where the files lie; empty for a planted example
	fset     *token.FileSet
	files    []*file // in the order of their paths
	packages []*pkg  // in the order of their folders
	breaches []breach
	ran      map[string]bool // rules that have run
}

// A file is one text file.
type file struct {
	path   string // from the root, with slashes
	dir    string
	text   string
	isTest bool      // a Go file that only tests compile
	syntax *ast.File // nil if it is not Go
	allows []*allow
}

// A pkg is a Go package, with its tests or, if they are external, without. Build tags are ignored: it has the files of all systems.
type pkg struct {
	dir   string
	name  string
	files []*file
	types *types.Package
	info  *types.Info // knows what this package declares and which package a qualifier is, nothing about other packages
}

// A breach is a place where a rule is broken.
type breach struct {
	file *file
	line int
	text string
}

// An allow is one marker: the breaches of a rule in these lines are accepted.
type allow struct {
	rule, reason string
	line         int
	from, to     int // lines
	used         bool
}

// skipped are folders with files that are not ours to judge.
var skipped = []string{".git", "bin", "testdata", "vendor"}

// loadTree reads the repository.
func loadTree(root string) (*tree, error) {
	texts := map[string]string{}
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && name != root && slices.Contains(skipped, e.Name()) {
			return filepath.SkipDir
		}
		if !e.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(name)
		rel, _ := filepath.Rel(root, name)
		texts[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		return nil, err
	}
	t := newTree(texts)
	t.root = root
	return t, nil
}

// newTree parses texts, whose keys are paths from the root. Of a file with faults of syntax it takes what can be read: the compiler tells the rest.
func newTree(texts map[string]string) *tree {
	t := &tree{fset: token.NewFileSet(), ran: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		f := &file{path: name, dir: path.Dir(name), text: texts[name], isTest: strings.HasSuffix(name, "_test.go")}
		if path.Ext(name) == ".go" {
			f.syntax, _ = parser.ParseFile(t.fset, name, f.text, parser.ParseComments|parser.SkipObjectResolution)
			f.allows = t.findAllows(f)
		}
		t.files = append(t.files, f)
	}
	t.findPackages()
	return t
}

func (t *tree) findPackages() {
	byName := map[string]*pkg{}
	for _, f := range t.files {
		if f.syntax == nil {
			continue
		}
		key := f.dir + " " + f.syntax.Name.Name
		if byName[key] == nil {
			byName[key] = &pkg{dir: f.dir, name: f.syntax.Name.Name}
			t.packages = append(t.packages, byName[key])
		}
		byName[key].files = append(byName[key].files, f)
	}
	for _, p := range t.packages {
		p.resolve(t.fset)
	}
}

// resolve finds out what the identifiers of p mean, as far as one package can tell.
func (p *pkg) resolve(fset *token.FileSet) {
	p.info = &types.Info{
		Uses:       map[*ast.Ident]types.Object{},
		Defs:       map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	config := types.Config{
		Importer: hollow{},
		Error:    func(error) {}, // other packages are hollow: most expressions have errors
	}
	var syntax []*ast.File
	for _, f := range p.files {
		syntax = append(syntax, f.syntax)
	}
	p.types, _ = config.Check(p.dir, fset, syntax, p.info)
}

// hollow imports every package as an empty one.
type hollow struct{}

var majorVersion = regexp.MustCompile(`^v\d+$`)

// Import implements types.Importer.
func (hollow) Import(importPath string) (*types.Package, error) {
	if importPath == "unsafe" {
		return types.Unsafe, nil
	}
	name := path.Base(importPath)
	if majorVersion.MatchString(name) && importPath != name {
		name = path.Base(path.Dir(importPath))
	}
	p := types.NewPackage(importPath, name)
	p.MarkComplete()
	return p, nil
}

// qualifier returns the path of the package that e names, "" if it is not a package's name.
func (p *pkg) qualifier(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		if name, ok := p.info.Uses[id].(*types.PkgName); ok {
			return name.Imported().Path()
		}
	}
	return ""
}

// selected returns what e selects of which package, as in ("time", "Sleep"); two empty strings if e is something else.
func (p *pkg) selected(e ast.Node) (importPath, name string) {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if q := p.qualifier(s.X); q != "" {
			return q, s.Sel.Name
		}
	}
	return "", ""
}

// productFiles are the files of p that are part of the program.
func (p *pkg) productFiles() []*file {
	return slices.DeleteFunc(slices.Clone(p.files), func(f *file) bool { return f.isTest })
}

// file returns the file at that path, nil if there is none.
func (t *tree) file(name string) *file {
	i, ok := slices.BinarySearchFunc(t.files, name, func(f *file, name string) int { return strings.Compare(f.path, name) })
	if !ok {
		return nil
	}
	return t.files[i]
}

func (t *tree) line(p token.Pos) int { return t.fset.Position(p).Line }

// at notes a breach at a node or position of a Go file.
func (t *tree) at(f *file, p token.Pos, text string) { t.atLine(f, t.line(p), text) }

// atLine notes a breach at a line.
func (t *tree) atLine(f *file, line int, text string) {
	t.breaches = append(t.breaches, breach{f, line, text})
}

// run returns the breaches of r that no marker accepts.
func (t *tree) run(r rule) []breach {
	t.breaches, t.ran[r.name] = nil, true
	r.check(t)
	return slices.DeleteFunc(t.breaches, func(b breach) bool {
		for _, a := range b.file.allows {
			if a.rule == r.name && a.from <= b.line && b.line <= a.to {
				a.used = true
				return true
			}
		}
		return false
	})
}
