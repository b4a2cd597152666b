package repo

import (
	"go/ast"
	"path"
	"regexp"
	"strings"
)

var testRules = []rule{
	{"test-place", "fuzz functions are in X_fuzz_test.go and benchmarks in X_timing_test.go, so that one finds them", checkTestPlace},
	{"parser-fuzz", "what parses bytes from outside has a fuzz target beside it", checkParsersFuzzed},
	{"test-name", "a test's name is a sentence that says what holds: TestRefusesBothLengths", checkTestNames},
}

// eachTestFunc calls fn for each top-level function of test files.
func (t *tree) eachTestFunc(fn func(f *file, d *ast.FuncDecl)) {
	for _, f := range t.files {
		if !f.isTest {
			continue
		}
		for _, d := range f.syntax.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Recv == nil {
				fn(f, d)
			}
		}
	}
}

func checkTestPlace(t *tree) {
	t.eachTestFunc(func(f *file, d *ast.FuncDecl) {
		for prefix, suffix := range map[string]string{"Fuzz": "_fuzz_test.go", "Benchmark": "_timing_test.go"} {
			if isTestName(d.Name.Name, prefix) && !strings.HasSuffix(f.path, suffix) {
				t.at(f, d.Pos(), d.Name.Name+" is not in a file X"+suffix)
			}
		}
	})
}

// isTestName reports whether the go command takes a function of that name for a test of that kind.
func isTestName(name, prefix string) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	return ok && rest != "" && (rest[0] < 'a' || rest[0] > 'z')
}

// parserName is how functions are named that take bytes or text apart.
var parserName = regexp.MustCompile(`^(Parse|Decode|Unmarshal|Normalize|Normalise)`)

func checkParsersFuzzed(t *tree) {
	fuzzed := map[string]bool{}
	t.eachTestFunc(func(f *file, d *ast.FuncDecl) {
		if isTestName(d.Name.Name, "Fuzz") {
			fuzzed[f.dir] = true
		}
	})
	for _, p := range t.packages {
		if !fuzzed[p.dir] {
			t.checkParserFuzzed(p)
		}
	}
}

// checkParserFuzzed reports the first parser of p, which has no fuzz target. Each package of wire is one.
func (t *tree) checkParserFuzzed(p *pkg) {
	for _, f := range p.productFiles() {
		if !isInternal(f) {
			continue
		}
		if strings.HasPrefix(p.dir, "internal/wire/") {
			t.at(f, f.syntax.Package, "package "+p.name+" has no fuzz target")
			return
		}
		for _, d := range f.syntax.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Name.IsExported() && parserName.MatchString(d.Name.Name) {
				t.at(f, d.Pos(), path.Base(p.dir)+"."+d.Name.Name+" has no fuzz target in its package")
				return
			}
		}
	}
}

// shortTestName is a name that says which function is tested and not what holds of it.
var shortTestName = regexp.MustCompile(`^Test[A-Z]?[a-z0-9]*$|^Test[A-Z]\w*_`)

func checkTestNames(t *tree) {
	t.eachTestFunc(func(f *file, d *ast.FuncDecl) {
		if name := d.Name.Name; isTestName(name, "Test") && name != "TestMain" && shortTestName.MatchString(name) {
			t.at(f, d.Pos(), name+" is not a sentence")
		}
	})
}
