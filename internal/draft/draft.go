// Package draft replaces a file in one step, so that nobody reads half of it: a draft is written beside it and takes its place.
//
// Mode and owner stay, and a link is followed. It is for files that people own, such as the config: what could not be kept of them is an error, and nothing has changed then.
// It knows nothing of what is in them, and keeps nothing open.
package draft

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A Draft is a file beside another one that shall take its place. Whoever made it calls Put or Drop.
type Draft struct {
	// Place is the file that it is for, with links followed.
	Place string
	path  string
}

// New writes a text that shall take the place of a file, which must be there. What an ended process may have left of an earlier draft is overwritten.
func New(place string, text []byte) (*Draft, error) {
	place, err := filepath.EvalSymlinks(place)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(place)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "replace", Path: place, Err: errors.New("is not a regular file")}
	}
	d := &Draft{Place: place, path: filepath.Join(filepath.Dir(place), "."+filepath.Base(place)+".draft")}
	d.Drop()
	file, err := os.OpenFile(d.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(text)
	err = errors.Join(err, keepOwner(file, info), file.Chmod(info.Mode().Perm()), file.Sync(), file.Close())
	if err != nil {
		d.Drop()
		return nil, err
	}
	return d, nil
}

// Put has the draft take its place.
func (d *Draft) Put() error { return os.Rename(d.path, d.Place) }

// Drop removes a draft that has not taken its place; after Put it does nothing.
func (d *Draft) Drop() { _ = os.Remove(d.path) }
