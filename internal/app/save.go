package app

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sluice/internal/config"
)

// A draft is a file beside another one that shall take its place.
type draft struct {
	path, place string
	text        []byte
}

// draftLocked makes a draft for the config file. It is an error if somebody has changed that since it was read: what he wrote would be lost. The caller must hold p.mu.
func (p *Process) draftLocked(text []byte) (*draft, error) {
	held, err := config.Disk().ReadFile(p.program.File)
	if err != nil {
		return nil, fmt.Errorf("the config file can't be read: %w", err)
	}
	if !bytes.Equal(held, p.known) {
		return nil, fmt.Errorf("%s was changed since it was read: reload it first", p.program.File)
	}
	d, err := newDraft(p.program.File, text)
	if err != nil {
		return nil, fmt.Errorf("the config file can't be written: %w", err)
	}
	return d, nil
}

// newDraft writes a text that shall take the place of a file, with its mode and, if that is allowed, its owner. A link is followed. What an earlier process may have
// left is overwritten.
func newDraft(place string, text []byte) (*draft, error) {
	place, err := filepath.EvalSymlinks(place)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(place)
	if err != nil {
		return nil, err
	}
	d := &draft{filepath.Join(filepath.Dir(place), "."+filepath.Base(place)+".draft"), place, text}
	d.drop()
	file, err := os.OpenFile(d.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Chmod(info.Mode().Perm()), keepOwner(file, info), file.Sync(), file.Close())
	if err != nil {
		d.drop()
		return nil, err
	}
	return d, nil
}

// drop removes a draft that has not taken its place.
func (d *draft) drop() { _ = os.Remove(d.path) }

// saveLocked puts a draft in its place. What was there is kept with ".previous" behind its name. The caller must hold p.mu.
func (p *Process) saveLocked(d *draft) error {
	backup := d.place + ".previous"
	_ = os.Remove(backup)
	if err := os.Link(d.place, backup); err != nil {
		p.log.Warn("the old config file can't be kept", "error", err)
	}
	if err := os.Rename(d.path, d.place); err != nil {
		return fmt.Errorf("the config file can't be written: %w", err)
	}
	p.known = d.text
	if now := *p.inForce.Load(); now.sent && bytes.Equal(now.text, d.text) {
		now.sent = false
		now.files = maps.Clone(now.files)
		maps.DeleteFunc(now.files, func(name string, _ []byte) bool { return !filepath.IsAbs(name) }) // as it was called when it was sent
		now.files[p.program.File] = d.text
		p.inForce.Store(&now)
	}
	p.log.Info("the config file is written", "file", d.place, "before", backup)
	return nil
}

// writeLocked writes a text to the config file. The caller must hold p.mu.
func (p *Process) writeLocked(text []byte) error {
	d, err := p.draftLocked(text)
	if err != nil {
		return err
	}
	defer d.drop()
	return p.saveLocked(d)
}

// restoreLocked gives the config file the text in force, if it has another one that is known. It returns what to say of the files. The caller must hold p.mu.
func (p *Process) restoreLocked() string {
	back := p.inForce.Load()
	if !bytes.Equal(back.text, p.known) {
		if err := p.writeLocked(back.text); err != nil {
			return fmt.Sprintf("a reload or a restart brings back what was left: %v", err)
		}
	}
	if others := changed(back.files); len(others) > 0 {
		return fmt.Sprintf("a reload or a restart brings other settings: %s changed since", strings.Join(others, ", "))
	}
	return p.program.File + " holds it"
}

// changed are the files whose content is not what it was.
func changed(files map[string][]byte) (names []string) {
	for name, text := range files {
		if held, err := config.Disk().ReadFile(name); err != nil || !bytes.Equal(held, text) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
