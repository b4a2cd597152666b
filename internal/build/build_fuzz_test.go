package build

import "testing"

func FuzzBuild(f *testing.F) {
	f.Add(example)
	f.Add("sites: { a.example: { to: https://x }, http://:80: { routes: [{ match: { path_regexp: ^/a, host: [b, '*.c'] }, respond: { status: 200 } }] } }")
	f.Fuzz(checkBuilds)
}
