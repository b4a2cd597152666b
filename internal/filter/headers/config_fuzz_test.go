package headers

import (
	"testing"

	"sluice/internal/filter/filtertest"
)

func FuzzConfig(f *testing.F) {
	filtertest.Fuzz(f, func(c Config) error {
		_, _, err := New(c)
		return err
	},
		`headers: { request: { set: { A: "{client_ip}" }, remove: [B, C-*] }, response: { add: { Set-Cookie: [a, b] } } }`,
	)
}
