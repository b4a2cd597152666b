package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/config"
)

// format returns what Format makes of a text, "" if it refuses it.
func format(text string) (string, *config.Decoder) {
	d := &config.Decoder{}
	return string(config.Format(d, "f.yaml", []byte(text))), d
}

// TestFormatsAsTheCasesSay compares the layout of the cases of testdata; each is what it is made into again.
func TestFormatsAsTheCasesSay(t *testing.T) {
	const file = "testdata/format.txt"
	cases := readCases(t, file)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, d := format(c.input)
			if d.Failed() {
				t.Fatal(d.Diagnostics)
			}
			if strings.TrimSpace(got) != c.want && !*update {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			cases[i].want = strings.TrimSpace(got)
			if again, _ := format(got); again != got {
				t.Errorf("is made into\n%s\nafter\n%s", again, got)
			}
		})
	}
	if *update {
		writeCases(t, file, cases)
	}
}

func TestFormattingKeepsLineEndsInOneWay(t *testing.T) {
	for text, want := range map[string]string{
		"\ufeffa:   1\r\nb: 'x'  \r\n": "a: 1\nb: 'x'\n",
		"":                             "",
		"\n\n# only\n\n\n# comments":   "# only\n\n# comments\n",
		"---\na: 1\n...\n":             "a: 1\n",
		`{"a":1,  "b":[1,2]}`:          "{\n  \"a\": 1,\n  \"b\": [\n    1,\n    2\n  ]\n}\n",
		"a: ${NOPE}\nb: \"${file:x}\"": "a: ${NOPE}\nb: \"${file:x}\"\n",
	} {
		if got, d := format(text); got != want || d.Failed() {
			t.Errorf("%q is made into %q, want %q (%v)", text, got, want, d.Diagnostics)
		}
	}
}

func TestFormatRefusesFaultsOfSyntax(t *testing.T) {
	for _, text := range []string{"a: [1", "a: 1\n\tb: 2", "a: 1\na: 2", "a: !!str x", "a: b\n  c", `{"a":1,}`, "a: \x00"} {
		if got, d := format(text); got != "" || !d.Failed() {
			t.Errorf("%q is made into %q", text, got)
		}
	}
}

// seeds are texts to begin with: all cases of testdata.
func seeds(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.txt")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range strings.Split("\n"+string(text), "\n=== ")[1:] {
			_, input, _ := strings.Cut(part, "\n")
			input, _, _ = strings.Cut(input, "\n---\n")
			f.Add([]byte(input))
		}
	}
}

// checkFormatted checks what a text was made into: it says the same, has the same comments, and is made into itself.
func checkFormatted(t *testing.T, text []byte) {
	d := &config.Decoder{}
	got := config.Format(d, "f.yaml", text)
	if d.Failed() {
		for _, diag := range d.Diagnostics {
			if diag.Code == "not-formatted" && !bytes.ContainsAny(text, "!&?") && parsed(string(text)) != nil { // tags and rare places of anchors are left alone
				t.Errorf("refused: %q", text)
			}
		}
		return
	}
	if a, b := parsed(string(text)), parsed(string(got)); !same(a, b) {
		t.Errorf("%q is made into %q, which says something else", text, got)
	}
	if again := config.Format(&config.Decoder{}, "f.yaml", got); !bytes.Equal(again, got) {
		t.Errorf("%q is made into %q, and that into %q", text, got, again)
	}
}
