package repo

import (
	"fmt"
	"go/ast"
	"regexp"
	"strings"
)

var docRules = []rule{
	{"package-doc", "one file of each package holds its comment, of 3 to 12 lines: what it is, where on the way, who owns what, what it does not do", checkPackageDoc},
	{"doc-comment", "an exported name and every struct has a doc comment that is a sentence starting with the name", checkDocComments},
	{"citation", `citations have one form, "RFC 9112, section 6.3", so that one grep finds rule, code and proof`, checkCitations},
	{"leftover", "no notes to self on the main branch: do it, or write an issue and TODO(#123)", checkLeftovers},
}

// Bounds of a package comment, in lines.
const (
	packageDocMin = 3
	packageDocMax = 12
)

func checkPackageDoc(t *tree) {
	for _, p := range t.packages {
		files := p.productFiles()
		if len(files) == 0 {
			continue
		}
		var holders []*file
		for _, f := range files {
			if f.syntax.Doc.Text() != "" {
				holders = append(holders, f)
			}
		}
		if len(holders) == 0 {
			t.at(files[0], files[0].syntax.Package, "package "+p.name+" has no comment")
			continue
		}
		for _, f := range holders[1:] {
			t.at(f, f.syntax.Package, fmt.Sprintf("package %s has a comment in %s, too", p.name, holders[0].path))
		}
		if n := strings.Count(holders[0].syntax.Doc.Text(), "\n"); n < packageDocMin || n > packageDocMax {
			t.at(holders[0], holders[0].syntax.Package, fmt.Sprintf("the comment of package %s has %d lines", p.name, n))
		}
	}
}

func checkDocComments(t *tree) {
	for _, f := range t.files {
		if f.syntax == nil || f.isTest {
			continue
		}
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && ast.IsExported(receiver(d)) {
					t.wantDoc(f, d.Name, d.Doc)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					t.checkSpecDoc(f, d, s)
				}
			}
		}
	}
}

// receiver returns the name of the type that d is a method of; for a function, which has none, a name that is exported.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return "Function"
	}
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func (t *tree) checkSpecDoc(f *file, d *ast.GenDecl, s ast.Spec) {
	switch s := s.(type) {
	case *ast.TypeSpec:
		doc := s.Doc
		if doc == nil && !d.Lparen.IsValid() {
			doc = d.Doc
		}
		if _, isStruct := s.Type.(*ast.StructType); isStruct || s.Name.IsExported() {
			t.wantDoc(f, s.Name, doc)
		}
	case *ast.ValueSpec:
		// In a group, a comment on the group or at the end of the line is enough.
		inGroup := d.Lparen.IsValid() && (d.Doc != nil || s.Doc != nil || s.Comment != nil)
		for _, name := range s.Names {
			if name.IsExported() && !inGroup {
				t.wantDoc(f, name, d.Doc)
			}
		}
	}
}

// wantDoc wants doc to start with name, after an article if there is one.
func (t *tree) wantDoc(f *file, name *ast.Ident, doc *ast.CommentGroup) {
	text := doc.Text()
	for _, article := range []string{"A ", "An ", "The "} {
		text = strings.TrimPrefix(text, article)
	}
	switch rest, ok := strings.CutPrefix(text, name.Name); {
	case text == "":
		t.at(f, name.Pos(), name.Name+" has no doc comment")
	case !ok || rest != "" && strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789", rune(rest[0])):
		t.at(f, name.Pos(), "the doc comment of "+name.Name+" does not start with its name")
	}
}

var (
	oddCitation = regexp.MustCompile(`(?i)\brfc[-_]?\d{3,5}\b|\bRFC \d{3,5},? *(§|sect?\b|\d+\.\d|section)`)
	goodForm    = regexp.MustCompile(`\bRFC \d{3,5}, (sections?|appendix)( |$)`)
)

func checkCitations(t *tree) {
	t.eachComment(func(f *file, line int, text string) {
		if m := oddCitation.FindString(goodForm.ReplaceAllString(text, "")); m != "" {
			t.atLine(f, line, m+" is not the form of citations")
		}
	})
}

var leftover = regexp.MustCompile(`\b(FIXME|XXX|HACK)\b|\bTODO\b(\(#\d+\))?`)

func checkLeftovers(t *tree) {
	t.eachComment(func(f *file, line int, text string) {
		if m := leftover.FindString(text); m != "" && !strings.HasPrefix(m, "TODO(#") {
			t.atLine(f, line, m+" is left over")
		}
	})
}

// eachComment calls fn for each line of the comments of Go files.
func (t *tree) eachComment(fn func(f *file, line int, text string)) {
	for _, f := range t.files {
		if f.syntax == nil {
			continue
		}
		for _, group := range f.syntax.Comments {
			for _, c := range group.List {
				for i, text := range strings.Split(c.Text, "\n") {
					fn(f, t.line(c.Pos())+i, text)
				}
			}
		}
	}
}
