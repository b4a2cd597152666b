package repo

import (
	"fmt"
	"go/ast"
	"strings"
)

// Limits in lines, but for methods and folders.
const (
	functionLines = 70
	fileLines     = 600
	testFileLines = 1000
	methodsMax    = 5
	depthMax      = 3 // folders below internal
	mapLines      = 300
	shellLines    = 20
)

var sizeRules = []rule{
	{"function-length", "a function fits on a screen: 70 lines, 10 to 20 are better; push ifs up and fors down", checkFunctionLength},
	{"file-length", "a file has one subject: 600 lines, a test file 1000; split it by concern", checkFileLength},
	{"interface-size", "an interface has at most 5 methods: say what the caller needs, not what the callee has", checkInterfaceSize},
	{"folder-depth", "at most 3 folders below internal: order is in the names, not in the depth", checkFolderDepth},
	{"shell-length", "a shell script has at most 20 lines: write a longer one in Go", checkShellLength},
}

func checkFunctionLength(t *tree) {
	for _, f := range t.files {
		if f.syntax == nil || ast.IsGenerated(f.syntax) {
			continue
		}
		for _, d := range f.syntax.Decls {
			if d, ok := d.(*ast.FuncDecl); ok {
				if n := t.line(d.End()) - t.line(d.Pos()) + 1; n > functionLines {
					t.at(f, d.Pos(), fmt.Sprintf("%s has %d lines", d.Name.Name, n))
				}
			}
		}
	}
}

func checkFileLength(t *tree) {
	for _, f := range t.files {
		if f.syntax == nil || ast.IsGenerated(f.syntax) {
			continue
		}
		limit := fileLines
		if f.isTest {
			limit = testFileLines
		}
		if n := strings.Count(f.text, "\n"); n > limit {
			t.atLine(f, 1, fmt.Sprintf("the file has %d lines", n))
		}
	}
}

func checkInterfaceSize(t *tree) {
	for _, f := range t.files {
		if f.syntax == nil {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if s, ok := n.(*ast.TypeSpec); ok {
				if i, ok := s.Type.(*ast.InterfaceType); ok && i.Methods.NumFields() > methodsMax {
					t.at(f, s.Pos(), fmt.Sprintf("%s has %d methods", s.Name.Name, i.Methods.NumFields()))
				}
			}
			return true
		})
	}
}

func checkFolderDepth(t *tree) {
	for _, f := range t.files {
		if f.syntax != nil && strings.HasPrefix(f.dir, "internal/") && strings.Count(f.dir, "/") > depthMax {
			t.atLine(f, 1, f.dir+" is too deep")
		}
	}
}

func checkShellLength(t *tree) {
	for _, f := range t.files {
		first, _, _ := strings.Cut(f.text, "\n")
		isShell := strings.HasSuffix(f.path, ".sh") || strings.HasPrefix(first, "#!") && strings.HasSuffix(first, "sh")
		if n := strings.Count(f.text, "\n"); isShell && n > shellLines {
			t.atLine(f, 1, fmt.Sprintf("the script has %d lines", n))
		}
	}
}
