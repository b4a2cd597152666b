package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
)

// fileMax is the largest configuration file, in bytes.
const fileMax = 16 << 20

// A Source is where a configuration comes from: files and the environment. Tests and the admin API have sources without a disk.
type Source struct {
	// ReadFile returns the content of a file. It may stop one byte beyond fileMax.
	ReadFile func(name string) ([]byte, error)
	// Glob returns the files that match a pattern of path/filepath, sorted.
	Glob func(pattern string) ([]string, error)
	// Getenv returns an environment variable, and whether it is set.
	Getenv func(name string) (string, bool)
}

// Disk is the Source of the running system.
func Disk() Source {
	return Source{ReadFile: readFile, Glob: filepath.Glob, Getenv: os.LookupEnv}
}

// readFile reads no more than a configuration may have, so that a device or an endless pipe does no harm.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, fileMax+1))
}

// In returns src with a file of that name in memory, whose relative paths begin at folder: a config that somebody sends is read as if it stood there.
func (src Source) In(folder, name string, content []byte) Source {
	join := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(folder, path)
	}
	in := src
	in.ReadFile = func(path string) ([]byte, error) {
		if path == name {
			return content, nil
		}
		return src.ReadFile(join(path))
	}
	in.Glob = func(pattern string) ([]string, error) { return src.Glob(join(pattern)) }
	return in
}

// Text is a Source that holds one file only, and no environment.
func Text(name, content string) Source {
	return Files(map[string]string{name: content}, nil)
}

// Files is a Source in memory: file names with their content, and environment variables.
func Files(files, env map[string]string) Source {
	return Source{
		ReadFile: func(name string) ([]byte, error) {
			if content, ok := files[name]; ok {
				return []byte(content), nil
			}
			return nil, fmt.Errorf("open %s: %w", name, os.ErrNotExist)
		},
		Glob: func(pattern string) ([]string, error) {
			var found []string
			for name := range files {
				ok, err := filepath.Match(pattern, name)
				if err != nil {
					return nil, err
				}
				if ok {
					found = append(found, name)
				}
			}
			sort.Strings(found)
			return found, nil
		},
		Getenv: func(name string) (string, bool) {
			v, ok := env[name]
			return v, ok
		},
	}
}
