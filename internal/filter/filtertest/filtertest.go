// Package filtertest helps the tests of features: it decodes their settings from YAML, as build does, and reads the examples of their documentation.
//
// A feature's own test makes the filter and runs its phases on an exchange of exchangetest; nothing here knows a feature. Not for programs.
package filtertest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sluice/internal/config"
)

// Decode decodes text, a map with one key, into the T of that key's value. wrong is what is said of it, as "line:column code: text (suggestion)".
func Decode[T any](text string) (value T, wrong []string) {
	var d config.Decoder
	if n := d.Parse(config.Text("t.yaml", text), "t.yaml"); n != nil && len(n.Entries) == 1 {
		value = config.Make[T](&d, n.Entries[0])
	} else {
		d.Errorf(n, "test", "not a map with one key")
	}
	for _, diag := range d.Diagnostics {
		line := fmt.Sprintf("%d:%d %s: %s", diag.Pos.Line, diag.Pos.Column, diag.Code, diag.Text)
		if diag.Suggestion != "" {
			line += " (" + diag.Suggestion + ")"
		}
		wrong = append(wrong, line)
	}
	return value, wrong
}

// MustDecode is Decode for text that is right.
func MustDecode[T any](t testing.TB, text string) T {
	t.Helper()
	value, wrong := Decode[T](text)
	if len(wrong) > 0 {
		t.Fatalf("%s\n%q", text, wrong)
	}
	return value
}

// Refuses fails t unless decoding each text as a T says something that has the wanted part.
func Refuses[T any](t *testing.T, texts map[string]string) {
	t.Helper()
	for text, want := range texts {
		if _, wrong := Decode[T](text); !strings.Contains(strings.Join(wrong, "\n"), want) {
			t.Errorf("%s\nsays %q, not %q", text, wrong, want)
		}
	}
}

// Fuzz decodes what the fuzzer makes of the seeds as a T, and wants create to accept what decoding does not complain of.
func Fuzz[T any](f *testing.F, create func(T) error, seeds ...string) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, wrong := Decode[T](text)
		if len(wrong) > 0 {
			return
		}
		if err := create(value); err != nil {
			t.Fatalf("%q is decoded without a word, and can't be built: %v", text, err)
		}
	})
}

// Examples returns the YAML blocks of README.md in the test's folder. There must be one.
func Examples(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var examples []string
	for i, block := range strings.Split(string(text), "```") {
		if yaml, ok := strings.CutPrefix(block, "yaml fragment\n"); ok && i%2 == 1 {
			examples = append(examples, yaml)
		}
	}
	if len(examples) == 0 {
		t.Fatal("README.md has no example")
	}
	return examples
}
