package repo

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// layers says which packages of this module each package may import, from the bottom to the top. It is a statement of policy: what is not listed is
// forbidden, and a line is not widened to make a build pass. Names are relative to internal/; "filter/*" is every folder below filter.
//
// Four sentences to remember: exchange imports almost nothing. Features import exchange and filter, never each other. Only build knows every
// feature; only app knows every service. Each third-party library is imported by one named folder.
const layers = `
	# What everything stands on.
	buf:
	loop: buf
	exchange: buf loop

	# Message formats: bytes in, bytes and events out.
	wire/*: exchange
	wire/h1: wire/target exchange

	# Features.
	config:
	template: config wire/query exchange
	filter: exchange
	filter/*: filter exchange template config wire/* loop buf

	# The origin's side.
	upstream/balance: exchange
	upstream/resolve:
	upstream/dial: upstream/resolve loop buf
	upstream/client: wire/* exchange loop buf
	upstream: upstream/balance upstream/client exchange
	forward: upstream upstream/balance upstream/client wire/* exchange loop buf

	# The way of a request.
	route: wire/target wire/query filter exchange
	snapshot: downstream/h1 forward route upstream filter
	serve: forward snapshot route wire/h1 exchange

	# The client's side.
	downstream/h1: wire/* exchange loop buf
	downstream/listen: wire/* loop buf
	downstream/cert: snapshot

	# Beside the way.
	build: config filter filter/* observe observe/* downstream/h1 forward route snapshot template upstream upstream/* wire/h1 exchange
	observe: observe/metric exchange
	observe/trace: observe/otlp observe/accesslog observe/metric wire/tracecontext exchange
	observe/*: observe/logfile observe/metric exchange buf
	observe/accesslog: observe/logfile observe/metric config exchange buf
	health: snapshot upstream upstream/dial loop buf
	admin: config snapshot observe/* health upstream
	systemd:

	# The parts put together.
	app: draft config build snapshot serve forward observe observe/* health admin upstream upstream/* downstream/* systemd exchange loop buf
	demo:
	manual: build config
	explain: build config snapshot serve route downstream/h1 observe/metric observe/trace upstream/resolve exchange loop
	cli/shown:
	draft:
	cli/top: admin cli/shown
	cli: cli/* draft admin app build config demo manual explain
	cmd/sluice: cli
`

// libraries says which folder may import each third-party module.
var libraries = map[string]string{
	"go.yaml.in/yaml/v4":                       "internal/config",
	"github.com/spf13/cobra":                   "internal/cli",
	"github.com/spf13/pflag":                   "internal/cli",
	"github.com/gdamore/tcell/v2":              "internal/cli/top",
	"go.opentelemetry.io/proto/slim/otlp":      "internal/observe/otlptest", // tests only
	"google.golang.org/protobuf":               "internal/observe/otlptest", // tests only
	"github.com/santhosh-tekuri/jsonschema/v6": "internal/manual",           // its tests
}

const module = "sluice/"

var importRules = []rule{
	{"layer", "layers in test/repo/deps_test.go is the policy: what is not listed is forbidden", checkLayers},
	{"library", "each third-party library is imported by one named folder and has a line in docs/dependencies.md", checkLibraries},
}

// checkLayers compares the imports of this module's own packages with layers. Tests may import what they like, but programs no test doubles.
func checkLayers(t *tree) {
	rows := parseLayers(layers)
	for _, f := range t.files {
		if f.syntax == nil || f.isTest || strings.HasPrefix(f.dir, "test/") {
			continue
		}
		pkg := strings.TrimPrefix(f.dir, "internal/")
		allowed, listed := findRow(rows, pkg)
		if !listed && !isDouble(pkg) {
			t.at(f, f.syntax.Package, "package "+pkg+" is not listed")
			continue
		}
		for _, spec := range f.syntax.Imports {
			to, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
			to = strings.TrimPrefix(to, "internal/")
			if ours && to != pkg && !isDouble(pkg) && !matchAny(allowed, to) {
				t.at(f, spec.Pos(), fmt.Sprintf("%s must not import %s", pkg, to))
			}
		}
	}
}

// isDouble reports whether pkg is a test double: a package that only tests import, as exchangetest.
func isDouble(pkg string) bool { return strings.HasSuffix(pkg, "test") }

// parseLayers returns the packages that each row allows.
func parseLayers(text string) map[string][]string {
	rows := map[string][]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, allowed, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") {
			rows[name] = strings.Fields(allowed)
		}
	}
	return rows
}

// findRow returns the row of pkg itself or else of its folder with "/*".
func findRow(rows map[string][]string, pkg string) (allowed []string, ok bool) {
	if allowed, ok = rows[pkg]; !ok {
		allowed, ok = rows[path.Dir(pkg)+"/*"]
	}
	return allowed, ok
}

func matchAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(p, pkg)
		return ok
	})
}

// checkLibraries compares the imports of other modules with libraries and with docs/dependencies.md.
func checkLibraries(t *tree) {
	table := t.file("docs/dependencies.md")
	for _, f := range t.files {
		if f.syntax == nil {
			continue
		}
		for _, spec := range f.syntax.Imports {
			importPath := strings.Trim(spec.Path.Value, `"`)
			if !isLibrary(importPath) {
				continue
			}
			library := findLibrary(importPath)
			switch {
			case library == "":
				t.at(f, spec.Pos(), importPath+" is not a listed library")
			case !f.isTest && libraries[library] != f.dir:
				t.at(f, spec.Pos(), fmt.Sprintf("only %s imports %s", libraries[library], importPath))
			case table == nil || !strings.Contains(table.text, library):
				t.at(f, spec.Pos(), library+" has no line in docs/dependencies.md")
			}
		}
	}
}

func isLibrary(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return strings.Contains(first, ".")
}

func findLibrary(importPath string) string {
	for library := range libraries {
		if importPath == library || strings.HasPrefix(importPath, library+"/") {
			return library
		}
	}
	return ""
}
