package errorpages

import (
	"testing"

	"sluice/internal/filter/filtertest"
)

func FuzzConfig(f *testing.F) {
	filtertest.Fuzz(f, func(c Config) error {
		_, err := New(c)
		return err
	},
		`error_pages: { 404: a.html, 5xx: { body: x, content_type: a/b }, 403: { redirect: "/{header.X}" }, 500: off, intercept: true }`,
	)
}
