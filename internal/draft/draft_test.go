package draft

import (
	"os"
	"path/filepath"
	"testing"
)

func TestADraftTakesThePlaceOfAFile(t *testing.T) {
	dir := t.TempDir()
	name, link := filepath.Join(dir, "a"), filepath.Join(dir, "link")
	if err := os.WriteFile(name, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a", link); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".a.draft"), []byte("left by somebody, and longer than the new text"), 0o600); err != nil {
		t.Fatal(err)
	}
	holds := func(want string) {
		t.Helper()
		text, err := os.ReadFile(name)
		info, statErr := os.Stat(name)
		if err != nil || statErr != nil || string(text) != want || info.Mode().Perm() != 0o640 {
			t.Errorf("%q, mode %v, %v", text, info.Mode(), err)
		}
	}
	d, err := New(link, []byte("new"))
	if err != nil {
		t.Fatal(err)
	}
	holds("old")
	if err := d.Put(); err != nil {
		t.Fatal(err)
	}
	d.Drop()
	holds("new")
	if d, err = New(name, []byte("newer")); err != nil {
		t.Fatal(err)
	}
	d.Drop()
	holds("new")
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("drafts are left: %v", left)
	}
	for _, bad := range []string{dir, filepath.Join(dir, "none")} {
		if _, err := New(bad, nil); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}
