package repo

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

var wordRules = []rule{
	{"word", "docs/glossary.md gives each thing one word", checkWords},
	{"package-name", "a package is named after what it holds", checkPackageNames},
}

// wrongWords are words that the glossary replaces, and what by. Words that are also right for something else ("server", "header", "node") are left out:
// a rule with false alarms is soon ignored.
var wrongWords = map[string]string{
	"transaction":   "exchange",
	"ctx":           "exchange (x), or context for Go's own",
	"customer":      "client",
	"browser":       "client or user agent",
	"backend":       "origin, endpoint or upstream",
	"frontend":      "listener or downstream",
	"inbound":       "downstream",
	"outbound":      "upstream",
	"vhost":         "route or authority",
	"ingress":       "route",
	"payload":       "content",
	"entity":        "content",
	"informational": "interim",
	"revalidate":    "validate",
	"entrypoint":    "listener",
	"middleware":    "filter",
	"plugin":        "filter",
	"cluster":       "pool",
	"lb":            "balancer",
	"strategy":      "balancer",
	"failover":      "retry",
	"manager":       "service, or what it holds",
	"helper":        "what it does",
	"util":          "what it does",
}

// wrongPackages are names that say nothing.
var wrongPackages = []string{"util", "utils", "common", "helper", "helpers", "manager", "base", "misc", "types", "shared", "lib", "core"}

func checkWords(t *tree) {
	for _, f := range t.files {
		if f.syntax == nil || f.isTest || strings.HasPrefix(f.dir, "test/") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				t.checkName(f, n.Name)
				return false
			case *ast.TypeSpec:
				t.checkName(f, n.Name)
			case *ast.ValueSpec:
				for _, name := range n.Names {
					t.checkName(f, name)
				}
			case *ast.Field:
				for _, name := range n.Names {
					t.checkName(f, name)
				}
			}
			return true
		})
	}
}

var camelWord = regexp.MustCompile(`[A-Z]+[a-z0-9]*|[a-z0-9]+`)

// checkName looks at the words of an exported name.
func (t *tree) checkName(f *file, name *ast.Ident) {
	if !name.IsExported() {
		return
	}
	for _, word := range camelWord.FindAllString(name.Name, -1) {
		if right, ok := wrongWords[strings.TrimSuffix(strings.ToLower(word), "s")]; ok {
			t.at(f, name.Pos(), name.Name+": not "+strings.ToLower(word)+" but "+right)
		}
	}
}

func checkPackageNames(t *tree) {
	for _, p := range t.packages {
		switch base := path.Base(p.dir); {
		case slices.Contains(wrongPackages, p.name):
			t.at(p.files[0], p.files[0].syntax.Package, "package "+p.name+" could hold anything")
		case p.name != "main" && strings.TrimSuffix(p.name, "_test") != base && p.dir != ".":
			t.at(p.files[0], p.files[0].syntax.Package, "package "+p.name+" lies in folder "+base)
		}
	}
}
