package repo

import (
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"slices"
)

var loopRules = []rule{
	{"lock-across-wait", "a lock held across a wait stops the loop for good: give it back first, or use a loop.Signal", checkLockAcrossWait},
	{"blocking", "code on the loop must not block the others: wait by the loop's Conn and Signal, start tasks by Driver.Go, and put what blocks into Driver.Offload", checkBlocking},
}

// waits are the methods by which a task waits.
var waits = map[string]bool{
	"Read": true, "Write": true, "Writev": true, "Wait": true, "Await": true, "Offload": true, "Splice": true, "Dial": true,
	"SendInterim": true, "SendFinal": true, "Upgrade": true, "RoundTrip": true, "Serve": true,
}

func checkLockAcrossWait(t *tree) {
	for _, p := range t.packages {
		waiting := p.waitingFuncs()
		for _, f := range p.files {
			if !isLoopSide(f) {
				continue
			}
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				if body := bodyOf(n); body != nil {
					w := &walker{t: t, p: p, f: f, waiting: waiting}
					w.block(body.List, held{})
				}
				return true
			})
		}
	}
}

// bodyOf returns the body of a function or function literal.
func bodyOf(n ast.Node) *ast.BlockStmt {
	switch n := n.(type) {
	case *ast.FuncDecl:
		return n.Body
	case *ast.FuncLit:
		return n.Body
	}
	return nil
}

// waitingFuncs returns the functions and methods of p that wait, themselves or by calling one of p that does.
func (p *pkg) waitingFuncs() map[types.Object]bool {
	waiting := map[types.Object]bool{}
	for grown := true; grown; {
		grown = false
		for _, f := range p.productFiles() {
			for _, d := range f.syntax.Decls {
				d, ok := d.(*ast.FuncDecl)
				if !ok || d.Body == nil || waiting[p.info.Defs[d.Name]] {
					continue
				}
				if p.waitIn(d.Body, waiting) != nil {
					waiting[p.info.Defs[d.Name]] = true
					grown = true
				}
			}
		}
	}
	return waiting
}

// waitIn returns a call in n that waits, nil if there is none. Function literals run later and do not count.
func (p *pkg) waitIn(n ast.Node, waiting map[types.Object]bool) (found *ast.CallExpr) {
	ast.Inspect(n, func(n ast.Node) bool {
		if _, ok := n.(*ast.FuncLit); ok || found != nil {
			return false
		}
		if call, ok := n.(*ast.CallExpr); ok && p.isWait(call, waiting) {
			found = call
		}
		return true
	})
	return found
}

func (p *pkg) isWait(call *ast.CallExpr, waiting map[types.Object]bool) bool {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return waiting[p.info.Uses[fun]]
	case *ast.SelectorExpr:
		if p.qualifier(fun.X) != "" {
			return false
		}
		if s := p.info.Selections[fun]; s != nil && s.Obj().Pkg() == p.types {
			if _, isInterface := s.Recv().Underlying().(*types.Interface); !isInterface {
				return waiting[s.Obj()]
			}
		}
		return waits[fun.Sel.Name]
	}
	return false
}

// held is the locks that are held, by their text ("p.mu").
type held map[string]bool

// A walker follows one function, statement by statement.
type walker struct {
	t       *tree
	p       *pkg
	f       *file
	waiting map[types.Object]bool
}

// block follows stmts and returns what is held after them, nil if control does not come out at their end.
func (w *walker) block(stmts []ast.Stmt, h held) held {
	for _, s := range stmts {
		if h = w.stmt(s, h); h == nil {
			return nil
		}
	}
	return h
}

func (w *walker) stmt(s ast.Stmt, h held) held {
	switch s := s.(type) {
	case *ast.BlockStmt:
		return w.block(s.List, h)
	case *ast.LabeledStmt:
		return w.stmt(s.Stmt, h)
	case *ast.IfStmt:
		return w.branch(s, h)
	case *ast.ForStmt:
		w.look(s.Init, h)
		w.look(s.Cond, h)
		return w.join(h, w.block(s.Body.List, maps.Clone(h)))
	case *ast.RangeStmt:
		w.look(s.X, h)
		return w.join(h, w.block(s.Body.List, maps.Clone(h)))
	case *ast.SwitchStmt:
		w.look(s.Init, h)
		w.look(s.Tag, h)
		return w.cases(s.Body, h)
	case *ast.TypeSwitchStmt:
		return w.cases(s.Body, h)
	case *ast.DeferStmt:
		return h // an unlock at the end leaves the lock held until then
	case *ast.ReturnStmt, *ast.BranchStmt:
		w.look(s, h)
		return nil
	}
	w.look(s, h)
	return w.locks(s, h)
}

func (w *walker) branch(s *ast.IfStmt, h held) held {
	w.look(s.Init, h)
	w.look(s.Cond, h)
	after := h
	if s.Init != nil {
		after = w.locks(s.Init, h)
	}
	then := w.block(s.Body.List, maps.Clone(after))
	if s.Else == nil {
		return w.join(after, then)
	}
	return w.join(w.stmt(s.Else, maps.Clone(after)), then)
}

func (w *walker) cases(body *ast.BlockStmt, h held) held {
	var after held
	complete := false // one of the cases is always taken
	for _, s := range body.List {
		if c, ok := s.(*ast.CaseClause); ok {
			after = w.join(after, w.block(c.Body, maps.Clone(h)))
			complete = complete || c.List == nil
		}
	}
	if !complete {
		after = w.join(after, h)
	}
	return after
}

// join returns what may be held when two ways come together.
func (w *walker) join(a, b held) held {
	if a == nil {
		return b
	}
	joined := maps.Clone(a)
	maps.Copy(joined, b)
	return joined
}

// look reports a wait in n while something is held.
func (w *walker) look(n ast.Node, h held) {
	if n == nil || len(h) == 0 {
		return
	}
	if call := w.p.waitIn(n, w.waiting); call != nil {
		w.t.at(w.f, call.Pos(), types.ExprString(call.Fun)+" waits while "+slices.Sorted(maps.Keys(h))[0]+" is held")
	}
}

// locks returns h after the calls of Lock and Unlock in s.
func (w *walker) locks(s ast.Stmt, h held) held {
	after := maps.Clone(h)
	ast.Inspect(s, func(n ast.Node) bool {
		if _, ok := n.(*ast.FuncLit); ok {
			return false
		}
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if fun, ok := call.Fun.(*ast.SelectorExpr); ok {
			switch fun.Sel.Name {
			case "Lock", "RLock":
				after[types.ExprString(fun.X)] = true
			case "Unlock", "RUnlock":
				delete(after, types.ExprString(fun.X))
			}
		}
		return true
	})
	return after
}

// blockers are what blocks the loop, by package; "*" is every function.
var blockers = map[string][]string{
	"os":      {"Open", "OpenFile", "Create", "CreateTemp", "ReadFile", "WriteFile", "ReadDir", "Stat", "Lstat", "Remove", "RemoveAll", "Rename", "Mkdir", "MkdirAll", "Pipe"},
	"net":     {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialUnix", "Dialer", "Listen", "ListenPacket", "Resolver", "LookupAddr", "LookupHost", "LookupIP", "LookupSRV", "LookupTXT"},
	"time":    {"Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"},
	"sync":    {"Cond", "NewCond", "WaitGroup"},
	"os/exec": {"Command", "CommandContext"},
}

func checkBlocking(t *tree) {
	for _, p := range t.packages {
		for _, f := range p.files {
			if isLoopSide(f) {
				ast.Inspect(f.syntax, func(n ast.Node) bool {
					if p.isOffloaded(n) {
						return false
					}
					if text := p.blocks(n); text != "" {
						t.at(f, n.Pos(), text)
					}
					return true
				})
			}
		}
	}
}

// isOffloaded reports whether n is a call of Offload with a function literal, which may block.
func (p *pkg) isOffloaded(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return false
	}
	fun, ok := call.Fun.(*ast.SelectorExpr)
	_, literal := call.Args[0].(*ast.FuncLit)
	return ok && literal && fun.Sel.Name == "Offload"
}

// blocks says what in n, itself and not what is below it, blocks the loop.
func (p *pkg) blocks(n ast.Node) string {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		if q, name := p.selected(n); slices.Contains(blockers[q], name) {
			return q + "." + name
		}
	case *ast.GoStmt:
		return "a goroutine is started"
	case *ast.SelectStmt:
		return "select"
	case *ast.SendStmt:
		return "a send to a channel"
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			return "a receive from a channel"
		}
	}
	return ""
}
