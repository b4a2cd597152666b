package repo

import (
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"strings"
)

var banRules = []rule{
	{"import", "see bannedImports in test/repo/bans_test.go", checkBannedImports},
	{"sleep", "a test that sleeps is slow or wrong: use testing/synctest, or wait for the event itself", checkSleep},
	{"init", "nothing happens before main: call a function where it is needed", checkInit},
	{"print", "internal packages return errors, log by log/slog, or write to the io.Writer that they were given", checkPrint},
	{"exit", "only package main ends the process: return an error", checkExit},
	{"panic", "one bad exchange must not cost others: return an error; where going on would be worse, say so in a marker", checkPanic},
	{"global", "no mutable globals: state belongs to a value that has an owner", checkGlobals},
	{"clock", "code on the way of a request takes the time from its driver, read once for each turn of a loop: Driver.Now, Driver.Time", checkClock},
}

// bannedImports are packages of the standard library that only some folders may import.
var bannedImports = map[string]struct {
	allowed []string // folders; tests may always import what is not banned everywhere
	why     string
}{
	"net/http":  {[]string{"internal/admin", "internal/app", "internal/demo", "internal/downstream/cert", "internal/health", "internal/observe/otlp", "internal/observe/otlptest", "test/*"}, "net/http is not on the data path: exchange, wire/h1 and upstream/client are"},
	"math/rand": {nil, "math/rand/v2 is the one to use"},
	"unsafe":    {[]string{"internal/loop", "internal/buf", "internal/systemd"}, "unsafe is only in loop, buf and systemd (one clock), each use with its reason"},
	"log":       {nil, "log/slog is the one to use"},
	"io/ioutil": {nil, "io and os have the same functions"},
	"syscall": {[]string{"internal/loop", "internal/downstream/listen", "internal/observe", "internal/observe/logfile", "internal/admin", "internal/app", "internal/cli", "internal/draft", "internal/systemd", "cmd/sluice", "test/*"},
		"system calls are the loop's business"},
	"os/exec": {[]string{"internal/app", "test/*"}, "Sluice starts no programs"},
	"testing": {[]string{"internal/*test", "internal/*/*test", "test/*"}, "a program does not link the testing package: make a test double's package, as exchangetest"},
}

func checkBannedImports(t *tree) {
	for _, f := range t.files {
		if f.syntax == nil {
			continue
		}
		for _, spec := range f.syntax.Imports {
			ban, ok := bannedImports[strings.Trim(spec.Path.Value, `"`)]
			if !ok || ban.allowed != nil && f.isTest || matchAny(ban.allowed, f.dir) {
				continue
			}
			t.at(f, spec.Pos(), ban.why)
		}
	}
}

// eachNode calls fn for each node of the Go files that want says yes to.
func (t *tree) eachNode(want func(*file) bool, fn func(p *pkg, f *file, n ast.Node)) {
	for _, p := range t.packages {
		for _, f := range p.files {
			if !want(f) {
				continue
			}
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				fn(p, f, n)
				return true
			})
		}
	}
}

func isTest(f *file) bool { return f.isTest }

func isInternal(f *file) bool {
	return !f.isTest && strings.HasPrefix(f.dir, "internal/") && !isDouble(f.dir)
}

func checkSleep(t *tree) {
	t.eachNode(isTest, func(p *pkg, f *file, n ast.Node) {
		if q, name := p.selected(n); q == "time" && name == "Sleep" {
			t.at(f, n.Pos(), "time.Sleep in a test")
		}
	})
}

func checkInit(t *tree) {
	t.eachNode(func(*file) bool { return true }, func(_ *pkg, f *file, n ast.Node) {
		if d, ok := n.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == "init" {
			t.at(f, d.Pos(), "an init function")
		}
	})
}

func checkPrint(t *tree) {
	t.eachNode(isInternal, func(p *pkg, f *file, n ast.Node) {
		q, name := p.selected(n)
		if q == "fmt" && strings.HasPrefix(name, "Print") {
			t.at(f, n.Pos(), "fmt."+name)
		}
		if name := p.builtin(n); name == "print" || name == "println" {
			t.at(f, n.Pos(), name)
		}
	})
}

// builtin returns the name of the built-in function that n calls, "" if it calls none.
func (p *pkg) builtin(n ast.Node) string {
	if call, ok := n.(*ast.CallExpr); ok {
		if id, ok := call.Fun.(*ast.Ident); ok {
			if _, ok := p.info.Uses[id].(*types.Builtin); ok {
				return id.Name
			}
		}
	}
	return ""
}

func checkExit(t *tree) {
	t.eachNode(isInternal, func(p *pkg, f *file, n ast.Node) {
		if q, name := p.selected(n); q == "os" && name == "Exit" {
			t.at(f, n.Pos(), "os.Exit")
		}
	})
}

func checkPanic(t *tree) {
	t.eachNode(isLoopSide, func(p *pkg, f *file, n ast.Node) {
		if p.builtin(n) == "panic" {
			t.at(f, n.Pos(), "panic")
		}
	})
}

// checkGlobals finds variables of a package that its functions change.
func checkGlobals(t *tree) {
	inProgram := func(f *file) bool { return !f.isTest && !strings.HasPrefix(f.dir, "test/") }
	t.eachNode(inProgram, func(p *pkg, f *file, n ast.Node) {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, e := range n.Lhs {
					t.checkChanged(p, f, e)
				}
			}
		case *ast.IncDecStmt:
			t.checkChanged(p, f, n.X)
		case *ast.ValueSpec:
			if q, name := p.selected(n.Type); (q == "sync" || q == "sync/atomic") && p.isGlobal(n.Names[0]) {
				t.at(f, n.Pos(), "the package's variable "+n.Names[0].Name+" is a "+q+"."+name)
			}
		}
	})
}

// checkChanged reports e, which is assigned to, if it is a variable of the package or lies in one.
func (t *tree) checkChanged(p *pkg, f *file, e ast.Expr) {
	for {
		switch x := e.(type) {
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.Ident:
			if p.isGlobal(x) {
				t.at(f, x.Pos(), "the package's variable "+x.Name+" is changed")
			}
			return
		default:
			return
		}
	}
}

// isGlobal reports whether x is a variable of the package.
func (p *pkg) isGlobal(x *ast.Ident) bool {
	v, ok := p.info.ObjectOf(x).(*types.Var)
	return ok && v.Parent() == p.types.Scope()
}

// clockFuncs are the functions of package time that read the clock.
var clockFuncs = map[string]bool{"Now": true, "Since": true, "Until": true}

func checkClock(t *tree) {
	t.eachNode(isLoopSide, func(p *pkg, f *file, n ast.Node) {
		if q, name := p.selected(n); q == "time" && clockFuncs[name] {
			t.at(f, n.Pos(), "time."+name)
		}
	})
}

// loopSide are the packages whose code runs in the loop's tasks.
var loopSide = []string{
	"internal/exchange", "internal/wire/*", "internal/template", "internal/route", "internal/filter", "internal/filter/*", "internal/serve", "internal/forward",
	"internal/upstream", "internal/upstream/balance", "internal/upstream/client", "internal/upstream/dial", "internal/downstream/h1",
}

// isLoopSide reports whether f is part of the program and runs in the loop's tasks.
func isLoopSide(f *file) bool {
	return !f.isTest && matchAny(loopSide, f.dir) && !isDouble(path.Base(f.dir))
}
