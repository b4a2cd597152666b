package logfile

import (
	"cmp"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Rotation says when a file is put aside for a new one. The zero Rotation never does.
//
// The old file is renamed, which is atomic, to its name with the time behind it in UTC: access.log.20260701T103456.007Z. So names sort by age and no other
// file has to move. Nothing is lost: who else still writes to the old file, such as the process before an upgrade, goes on to write to it.
type Rotation struct {
	Bytes int64 // the file gets no larger; 0 is any size
	// Age is how long a file is written to; 0 is for ever. Spans of that length are counted from 1970 on, so that one of 24h begins at midnight UTC, whenever
	// the process was started. The first line of a span rotates.
	Age  time.Duration
	Keep int // how many old files are kept; 0 is all
	// Compress packs old files by gzip, all but the youngest one, which others may still write to.
	Compress bool
}

const (
	// retryRotation is how long a file goes on to grow after a rotation that failed, before the next attempt.
	retryRotation = time.Minute
	// oldFormat is what stands behind the name of an old file.
	oldFormat = "20060102T150405.000Z"
	packed    = ".gz"
	partly    = ".gz.part" // of a compression that is not done
)

// isDue reports whether the file must be put aside before n bytes more. What is empty, or no regular file, stays.
func (f *diskFile) isDue(n int) bool {
	r := f.Rotation
	if r.Bytes == 0 && r.Age == 0 {
		return false
	}
	now := f.now()
	aged := r.Age > 0 && f.period(now) != f.begun
	if !aged && r.Bytes == 0 || now.Before(f.retry) {
		return false
	}
	info, err := f.file.Load().Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	if info.Size() == 0 {
		f.begun = f.period(now)
		return false
	}
	return aged || r.Bytes > 0 && info.Size()+int64(n) > r.Bytes
}

// period is the span of Rotation.Age that t is in.
func (f *diskFile) period(t time.Time) int64 {
	if f.Rotation.Age <= 0 {
		return 0
	}
	return t.UnixMilli() / max(f.Rotation.Age.Milliseconds(), 1)
}

// lastWrite is when the file got its last line; now if it has none.
func (f *diskFile) lastWrite() time.Time {
	if info, err := f.file.Load().Stat(); err == nil && info.Size() > 0 {
		return info.ModTime()
	}
	return f.now()
}

// rotate puts the file aside and goes on in a new one. At an error the old one is still in use, under its name.
func (f *diskFile) rotate() error {
	if renamed, err := f.isRenamed(); err != nil || renamed { // somebody else has rotated: another process, or a program for that
		return cmp.Or(err, f.Reopen())
	}
	old, err := f.oldName()
	if err != nil {
		return err
	}
	if err := os.Rename(f.Path, old); err != nil {
		return err
	}
	if err := f.Reopen(); err != nil {
		return errors.Join(err, os.Rename(old, f.Path))
	}
	f.begun = f.period(f.now())
	return f.tidy()
}

// isRenamed reports whether the path leads no longer to the file that is open.
func (f *diskFile) isRenamed() (bool, error) {
	mine, err := f.file.Load().Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return err == nil && !os.SameFile(mine, there), err
}

// oldName is a name for the file behind those of all that were put aside before, also if the clock went back.
func (f *diskFile) oldName() (string, error) {
	old, err := f.old()
	if err != nil {
		return "", err
	}
	at := f.now().UTC().Truncate(time.Millisecond)
	if len(old) > 0 {
		if youngest, _ := oldTime(filepath.Base(f.Path), filepath.Base(old[len(old)-1])); !at.After(youngest) {
			at = youngest.Add(time.Millisecond)
		}
	}
	return f.Path + "." + at.Format(oldFormat), nil
}

// oldTime is when a file was put aside, by its name, if it was one that path led to.
func oldTime(path, name string) (at time.Time, ok bool) {
	suffix, ok := strings.CutPrefix(name, path+".")
	if !ok {
		return at, false
	}
	at, err := time.Parse(oldFormat, strings.TrimSuffix(suffix, packed))
	return at, err == nil
}

// tidy removes the old files that are too many and has the others packed.
func (f *diskFile) tidy() error {
	old, err := f.old()
	if err != nil {
		return err
	}
	var all []error
	if keep := f.Rotation.Keep; keep > 0 && len(old) > keep {
		for _, name := range old[:len(old)-keep] {
			all = append(all, remove(name))
		}
		old = old[len(old)-keep:]
	}
	if f.Rotation.Compress && len(old) > 1 {
		f.compress(old[:len(old)-1])
	}
	return errors.Join(all...)
}

// old returns the paths of the files that were put aside, the oldest first.
func (f *diskFile) old() ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(f.Path))
	if err != nil {
		return nil, err
	}
	var old []string
	for _, e := range entries {
		if _, ok := oldTime(filepath.Base(f.Path), e.Name()); ok {
			old = append(old, filepath.Join(filepath.Dir(f.Path), e.Name()))
		}
	}
	slices.Sort(old)
	return old, nil
}

// compress packs files in a goroutine of its own, one such at a time: what is left over has its turn after the next rotation.
func (f *diskFile) compress(files []string) {
	if f.busy != nil {
		select {
		case <-f.busy:
		default:
			return
		}
	}
	busy := make(chan struct{})
	f.busy = busy
	f.compressing.Go(func() {
		defer close(busy)
		for _, name := range files {
			if strings.HasSuffix(name, packed) {
				continue
			}
			if err := pack(name, f.stop); err != nil && !errors.Is(err, errClosed) {
				f.trouble(err)
			}
		}
	})
}

// remove is os.Remove, but if the file has gone, that is as well: its packed form has taken its place, or another process was faster.
func remove(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// pack replaces a file by its packed form. The packed one gets its name when it is whole. A file that has gone, because it was one too many, is no error.
func pack(name string, stop <-chan struct{}) (err error) {
	in, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	part := name + partly
	out, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(part)
		}
	}()
	zip := gzip.NewWriter(out)
	_, err = io.Copy(zip, &stoppable{in, stop})
	if err = errors.Join(err, zip.Close(), out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := os.Rename(part, name+packed); err != nil {
		return err
	}
	return remove(name)
}

// stoppable reads until stop is closed.
type stoppable struct {
	io.Reader
	stop <-chan struct{}
}

// Read implements io.Reader.
func (s *stoppable) Read(p []byte) (int, error) {
	select {
	case <-s.stop:
		return 0, errClosed
	default:
		return s.Reader.Read(p)
	}
}
