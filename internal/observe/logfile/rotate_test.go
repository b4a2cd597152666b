package logfile

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// opened opens a file with a clock of the test.
func opened(t *testing.T, d Disk, now *time.Time, trouble *[]error) *diskFile {
	t.Helper()
	out, err := d.Open(func(err error) { *trouble = append(*trouble, err) })
	if err != nil {
		t.Fatal(err)
	}
	f := out.(*diskFile)
	f.now = func() time.Time { return *now }
	f.begun = f.period(f.lastWrite())
	t.Cleanup(func() { f.Close() })
	return f
}

// all returns the content of every file in a folder by name.
func all(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		files[e.Name()] = read(t, filepath.Join(dir, e.Name()))
	}
	return files
}

func TestRotatesBySize(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 7, 1, 10, 34, 56, 7_000_000, time.UTC)
	var trouble []error
	f := opened(t, Disk{filepath.Join(dir, "a.log"), Rotation{Bytes: 10, Keep: 2}}, &now, &trouble)
	for _, line := range []string{"1111\n", "2222\n", "3333\n", "4444\n", "5555\n", "a line longer than the limit\n", "7777\n"} {
		if _, err := f.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	got := all(t, dir)
	// All at one instant: names are told apart. Of four old files, two are kept.
	want := map[string]string{
		"a.log": "7777\n", "a.log.20260701T103456.009Z": "5555\n", "a.log.20260701T103456.010Z": "a line longer than the limit\n",
	}
	if len(got) != len(want) || trouble != nil {
		t.Fatalf("got %q, %v", got, trouble)
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s holds %q, want %q", name, got[name], text)
		}
	}
}

func TestRotatesByAgeAlsoAfterARestart(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.log")
	var trouble []error
	now := time.Date(2026, 7, 1, 23, 59, 0, 0, time.UTC)
	f := opened(t, Disk{path, Rotation{Age: 24 * time.Hour}}, &now, &trouble)
	f.Write([]byte("first day\n"))
	now = now.Add(2 * time.Minute)
	f.Write([]byte("second day\n"))
	f.Write([]byte("second day, too\n"))
	if got := read(t, path); got != "second day\nsecond day, too\n" {
		t.Errorf("the file holds %q", got)
	}
	if err := os.Chtimes(path, now, now); err != nil {
		t.Fatal(err)
	}
	now = now.Add(24 * time.Hour)
	again := opened(t, Disk{path, Rotation{Age: 24 * time.Hour}}, &now, &trouble)
	again.begun = again.period(again.lastWrite())
	again.Write([]byte("third day\n"))
	if got := all(t, dir); len(got) != 3 || got["a.log"] != "third day\n" || got["a.log.20260703T000100.000Z"] != "second day\nsecond day, too\n" {
		t.Errorf("got %q", got)
	}
	if trouble != nil {
		t.Error(trouble)
	}
}

func TestAnEmptyFileIsNotRotated(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	var trouble []error
	f := opened(t, Disk{filepath.Join(dir, "a.log"), Rotation{Age: time.Hour}}, &now, &trouble)
	now = now.Add(5 * time.Hour)
	f.Write([]byte("x\n"))
	if got := all(t, dir); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

// Two processes write to one file while one takes over from the other: a file that the other has put aside is not put aside again.
func TestTwoProcessesMayRotateOneFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.log")
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	var trouble []error
	disk := Disk{path, Rotation{Bytes: 12}}
	one, two := opened(t, disk, &now, &trouble), opened(t, disk, &now, &trouble)
	one.Write([]byte("one 1\n"))
	two.Write([]byte("two 2\n"))
	one.Write([]byte("one 3\n")) // rotates
	two.Write([]byte("two 4\n")) // still the old file, which is full: goes over to the new one
	two.Write([]byte("two 5\n")) // rotates
	one.Write([]byte("one 6\n"))
	var lines []string
	for _, text := range all(t, dir) {
		lines = append(lines, strings.Fields(text)...)
	}
	if got := all(t, dir); len(lines) != 12 || len(got) != 3 || trouble != nil {
		t.Errorf("got %q, %v", got, trouble)
	}
}

func TestARotationThatFailsCostsNoLine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	moved := dir + ".moved"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	var trouble []error
	f := opened(t, Disk{filepath.Join(dir, "a.log"), Rotation{Bytes: 5}}, &now, &trouble)
	f.Write([]byte("1111\n"))
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := f.Write([]byte("more\n")); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, filepath.Join(moved, "a.log")); got != "1111\nmore\nmore\nmore\n" || len(trouble) != 1 {
		t.Errorf("got %q, trouble %v", got, trouble)
	}
	if err := os.Rename(moved, dir); err != nil {
		t.Fatal(err)
	}
	now = now.Add(retryRotation)
	f.Write([]byte("2222\n"))
	if got := read(t, filepath.Join(dir, "a.log")); got != "2222\n" {
		t.Errorf("after the next attempt the file holds %q", got)
	}
}

func TestOldFilesButTheYoungestArePacked(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	var trouble []error
	f := opened(t, Disk{filepath.Join(dir, "a.log"), Rotation{Bytes: 5, Keep: 3, Compress: true}}, &now, &trouble)
	for _, line := range []string{"1111\n", "2222\n", "3333\n", "4444\n", "5555\n", "6666\n"} {
		f.Write([]byte(line))
		f.compressing.Wait()
		now = now.Add(time.Second)
	}
	names := []string{}
	for name := range all(t, dir) {
		names = append(names, name)
	}
	slices.Sort(names)
	if want := []string{"a.log", "a.log.20260701T000003.000Z.gz", "a.log.20260701T000004.000Z.gz", "a.log.20260701T000005.000Z"}; !slices.Equal(names, want) {
		t.Fatalf("got %v, %v", names, trouble)
	}
	in, err := os.Open(filepath.Join(dir, "a.log.20260701T000003.000Z.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	zip, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(zip); string(text) != "3333\n" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestPackingCanBeGivenUp(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.log.1")
	if err := os.WriteFile(name, []byte("line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	close(stop)
	if err := pack(name, stop); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
	if got := all(t, dir); len(got) != 1 || got["a.log.1"] != "line\n" {
		t.Errorf("got %q", got)
	}
}

// Who removes old files and who packs them work side by side, in two processes even.
func TestAnOldFileThatHasGoneIsNoTrouble(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log.20260701T000000.000Z")
	if err := remove(name); err != nil {
		t.Error(err)
	}
	if err := pack(name, nil); err != nil {
		t.Error(err)
	}
	if got := all(t, filepath.Dir(name)); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func TestTroubleThatCostsNoLineIsNotAFailedWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var trouble, failed []error
	f, err := Open(Disk{filepath.Join(dir, "a.log"), Rotation{Bytes: 5}}, Hooks{
		Trouble: func(err error) { trouble = append(trouble, err) }, Failed: func(err error) { failed = append(failed, err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	hand(t, f, "1111\n")
	f.Flush()
	if err := os.Rename(dir, dir+".moved"); err != nil {
		t.Fatal(err)
	}
	hand(t, f, "2222\n")
	f.Close()
	if len(trouble) != 1 || failed != nil {
		t.Errorf("trouble %v, failed %v", trouble, failed)
	}
}

func TestNoLineIsLostByRotation(t *testing.T) {
	dir := t.TempDir()
	f, err := Open(Disk{filepath.Join(dir, "a.log"), Rotation{Bytes: 1 << 10}}, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	const lines = 2000
	for range lines {
		for b := append(f.Buffer(), "0123456789\n"...); !f.Hand(b); {
			f.Flush()
		}
	}
	f.Close()
	got := 0
	for name, text := range all(t, dir) {
		got += strings.Count(text, "0123456789\n")
		if len(text) > 1<<10 {
			t.Errorf("%s has %d bytes", name, len(text))
		}
	}
	if got != lines {
		t.Errorf("%d lines, want %d", got, lines)
	}
}

func TestTroubleIsToldOnceAndSoIsItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fullDisk{}
		var told []string
		lost := 0
		f := start(keep{w}, Hooks{
			Lost:      func(n int) { lost += n },
			Failed:    func(error) { told = append(told, "failed") },
			Recovered: func(n int) { told = append(told, "recovered", strings.Repeat("i", n)) },
		})
		write := func(wait time.Duration) {
			<-time.After(wait)
			hand(t, f, "x\n")
			f.Flush()
		}
		write(0)
		write(time.Second)
		w.room = 1 << 10
		write(time.Second) // goes well, but not for long
		w.room = 0
		write(time.Second)
		w.room = 1 << 10
		write(calm)
		write(calm)
		f.Close()
		if got := strings.Join(told, " "); got != "failed recovered iii" || lost != 3 {
			t.Errorf("told %q, %d lines lost", got, lost)
		}
	})
}
