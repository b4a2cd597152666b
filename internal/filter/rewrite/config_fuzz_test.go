package rewrite

import (
	"testing"

	"sluice/internal/filter/filtertest"
)

func FuzzConfig(f *testing.F) {
	filtertest.Fuzz(f, func(c Config) error {
		_, err := New(c)
		return err
	},
		`rewrite: "/i?{query}"`,
		`rewrite: { path_regexp: "^/(a)", to: "/{1}", strip_prefix: /a, replace_prefix: { /b: /c }, add_prefix: /d, query: { set: { a: b }, remove: c } }`,
	)
}
