package build

import "testing"

func FuzzBuild(f *testing.F) {
	f.Add(example)
	f.Add("sites: { a.example: { to: https://x }, http://:80: { routes: [{ match: { path_regexp: ^/a, host: [b, '*.c'] }, respond: { status: 200 } }] } }")
	f.Add("sites: { http://:80: { to: 10.0.0.1:80, routes: [{ match: { path_regexp: '(' }, respond: 200 }, { match: /a, respond: 200 }] } }")
	f.Fuzz(checkBuilds)
}
