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
	"sluice/internal/draft"
)

// A savedText is a text that is about to become that of the config file.
type savedText struct {
	*draft.Draft
	text []byte
}

// draftLocked makes a draft for the config file. It is an error if somebody has changed that since it was read: what he wrote would be lost. The caller must hold p.mu.
func (p *Process) draftLocked(text []byte) (*savedText, error) {
	if p.program.File == "" {
		return nil, errors.New("this process has no config file")
	}
	held, err := config.Disk().ReadFile(p.program.File)
	if err != nil {
		return nil, fmt.Errorf("the config file can't be read: %w", err)
	}
	if !bytes.Equal(held, p.known) {
		return nil, fmt.Errorf("%s was changed since it was read: reload it first", p.program.File)
	}
	d, err := draft.New(p.program.File, text)
	if err != nil {
		return nil, fmt.Errorf("the config file can't be written: %w", err)
	}
	return &savedText{d, text}, nil
}

// saveLocked puts a draft in its place. What was there is kept with ".previous" behind its name. The caller must hold p.mu.
func (p *Process) saveLocked(d *savedText) error {
	backup := d.Place + ".previous"
	_ = os.Remove(backup)
	if err := os.Link(d.Place, backup); err != nil {
		p.log.Warn("the old config file can't be kept", "error", err)
	}
	if err := d.Put(); err != nil {
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
	p.log.Info("the config file is written", "file", d.Place, "before", backup)
	return nil
}

// writeLocked writes a text to the config file. The caller must hold p.mu.
func (p *Process) writeLocked(text []byte) error {
	d, err := p.draftLocked(text)
	if err != nil {
		return err
	}
	defer d.Drop()
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
