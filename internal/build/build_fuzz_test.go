package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzBuild begins with the configs that check is known to name the faults of.
func FuzzBuild(f *testing.F) {
	names, _ := filepath.Glob("../cli/testdata/faults/*.txt")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range strings.Split("\n"+string(text), "\n=== ")[1:] {
			_, input, _ := strings.Cut(part, "\n")
			input, _, _ = strings.Cut(input, "\n---\n\n")
			f.Add(input)
		}
	}
	f.Add(example)
	f.Add("sites: { a.example: { to: https://x }, http://:80: { routes: [{ match: { path_regexp: ^/a, host: [b, '*.c'] }, respond: { status: 200 } }] } }")
	f.Add("sites: { http://:80: { to: 10.0.0.1:80, routes: [{ match: { path_regexp: '(' }, respond: 200 }, { match: /a, respond: 200 }] } }")
	f.Fuzz(checkBuilds)
}
