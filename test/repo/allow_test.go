package repo

import (
	"go/ast"
	"strings"
)

const marker = "//style:allow "

// findAllows returns the markers of f with the lines that each speaks for.
func (t *tree) findAllows(f *file) []*allow {
	var found []*allow
	docs := t.documented(f)
	for _, group := range f.syntax.Comments {
		for _, c := range group.List {
			if !strings.HasPrefix(c.Text, marker) {
				continue
			}
			a := &allow{line: t.line(c.Pos())}
			a.rule, a.reason, _ = strings.Cut(strings.TrimPrefix(c.Text, marker), " ")
			a.from, a.to = a.line, a.line+1
			if node, ok := docs[group]; ok {
				a.to = t.line(node.End())
			}
			if c.Pos() < f.syntax.Package {
				a.from, a.to = 1, strings.Count(f.text, "\n")+1
			}
			found = append(found, a)
		}
	}
	return found
}

// documented returns what each doc comment of f is the comment of.
func (t *tree) documented(f *file) map[*ast.CommentGroup]ast.Node {
	docs := map[*ast.CommentGroup]ast.Node{}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			docs[n.Doc] = n
		case *ast.GenDecl:
			docs[n.Doc] = n
		case *ast.TypeSpec:
			docs[n.Doc] = n
		case *ast.ValueSpec:
			docs[n.Doc] = n
		case *ast.Field:
			docs[n.Doc] = n
		}
		return true
	})
	return docs
}

// checkMarkers finds markers without a known rule, without a reason, or without a use. It runs last.
func checkMarkers(t *tree) {
	for _, f := range t.files {
		for _, a := range f.allows {
			switch {
			case !t.ran[a.rule]:
				t.atLine(f, a.line, "there is no rule "+a.rule)
			case strings.TrimSpace(a.reason) == "":
				t.atLine(f, a.line, "the marker gives no reason")
			case !a.used:
				t.atLine(f, a.line, "the marker accepts nothing: take it away")
			}
		}
	}
}
