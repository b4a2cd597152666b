package config_test

import "testing"

// FuzzFormat: what a text is made into says the same, keeps every comment, and is made into itself.
func FuzzFormat(f *testing.F) {
	seeds(f)
	for _, text := range []string{
		"a: |\n  x\n   y\n\n  z # no comment\n# end\nb: >-\n  x\n", "a: 'x # y' # z\nb: \"x\n  y\" # z\n", "- - a # b\n  - c\n- # d\n  e: f\n",
		"a: [1, # x\n  2, { b: c }] # y\n# z\n", "a: &x { b: c }\nd: *x # e\n", "a:\n  # b\n  - c\n  # d\n# e\n", "# a\n\n\n\n# b\n---\n# c\nd: e\n...\n# f\n",
		"a:\n- b:\n  - c\n  d: ~\n-\n", "a:\n  b: &x\n    c: d\n  e: &y\n  - f\n", "{ a: , b }\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(checkFormatted)
}
