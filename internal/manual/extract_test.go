package manual

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// extractComments returns the doc comments of the struct types, "config.Pool", and of their fields, "config.Pool.Servers", in the packages of source at or below folders.
func extractComments(source fs.FS, folders ...string) (map[string]string, error) {
	comments := map[string]string{}
	for _, folder := range folders {
		err := fs.WalkDir(source, folder, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
				return err
			}
			text, err := fs.ReadFile(source, name)
			if err != nil {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
			if err != nil {
				return fmt.Errorf("comments of settings: %w", err)
			}
			ast.Inspect(file, func(n ast.Node) bool { return declaration(n, file.Name.Name, comments) })
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return comments, nil
}

// declaration notes the comments of a declaration of struct types. It is false if there is nothing to find below n.
func declaration(n ast.Node, pkg string, comments map[string]string) bool {
	decl, ok := n.(*ast.GenDecl)
	if !ok {
		return true
	}
	for _, spec := range decl.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		name := pkg + "." + t.Name.Name
		if text := line(decl.Doc); text != "" {
			comments[name] = text
		}
		if s, ok := t.Type.(*ast.StructType); ok {
			fields(s, name, comments)
		}
	}
	return false
}

func fields(s *ast.StructType, owner string, comments map[string]string) {
	for _, f := range s.Fields.List {
		for _, name := range f.Names {
			if text := line(f.Doc); text != "" && f.Tag != nil {
				comments[owner+"."+name.Name] = text
			}
		}
	}
}

// line is a comment as one line of text.
func line(doc *ast.CommentGroup) string { return strings.Join(strings.Fields(doc.Text()), " ") }
