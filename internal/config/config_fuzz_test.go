package config_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"sluice/internal/config"
)

// FuzzLoad feeds anything to the whole way from text to Config: nothing panics, every message has a place inside the file, and what is refused is refused with a
// message.
func FuzzLoad(f *testing.F) {
	seeds(f)
	f.Add([]byte(allKeys))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, d := load(map[string]string{"sluice.yaml": string(text)})
		if c == nil && !d.Failed() {
			t.Error("nothing was loaded, and nothing said")
		}
		if err := d.Render(&bytes.Buffer{}, false); err != nil {
			t.Error(err)
		}
		text = bytes.TrimPrefix(text, []byte("\ufeff"))
		lines := strings.Split(string(text), "\n")
		for _, diag := range d.Diagnostics {
			checkPlace(t, diag, lines)
		}
	})
}

func checkPlace(t *testing.T, diag config.Diagnostic, lines []string) {
	if diag.Pos.Line == 0 {
		if diag.Code != "empty" && diag.Code != "cannot-read" {
			t.Errorf("no line: %+v", diag)
		}
		return
	}
	if diag.Pos.File != "sluice.yaml" || diag.Pos.Line > len(lines) || diag.Pos.Column < 1 {
		t.Errorf("outside the file: %+v", diag)
		return
	}
	if width := utf8.RuneCountInString(lines[diag.Pos.Line-1]); diag.Pos.Column > width+1 {
		t.Errorf("outside the line of %d characters: %+v", width, diag)
	}
	if diag.Text == "" || strings.ContainsAny(diag.Text, "\n") {
		t.Errorf("not one line: %+v", diag)
	}
}
