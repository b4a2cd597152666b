package redirect

import (
	"testing"

	"sluice/internal/filter/filtertest"
)

func FuzzConfig(f *testing.F) {
	filtertest.Fuzz(f, func(c Config) error {
		_, err := New(c)
		return err
	},
		`redirect: https://a{uri}`,
		`redirect: { to: "/new/{1}", status: 308, path_regexp: "^/old/(.*)$" }`,
	)
}
