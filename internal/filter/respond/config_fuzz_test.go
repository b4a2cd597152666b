package respond

import (
	"testing"

	"sluice/internal/filter/filtertest"
)

func FuzzConfig(f *testing.F) {
	filtertest.Fuzz(f, func(c Config) error {
		_, err := New(c)
		return err
	},
		`respond: 404`,
		`respond: { status: 503, body: "x\n", headers: { Retry-After: 60, A: [b, "{host}"] } }`,
	)
}
