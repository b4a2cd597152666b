package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// errCannotInstall means that this machine does not let us install: a person has to.
var errCannotInstall = errors.New("cannot install here")

// Debian's package scripts ask policyFile before they start a service; policyText forbids it.
const (
	policyFile = "/usr/sbin/policy-rc.d"
	policyText = "#!/bin/sh\nexit 101\n"
)

// A machine is where packages are installed.
type machine struct {
	has    func(command string) bool
	isRoot bool
	policy string                     // where the policy lies: policyFile, but in tests
	run    func(args ...string) error // runs a program to its end; the error has its output
}

// install installs packages and starts no service of theirs.
func (m machine) install(packages []string) (err error) {
	root, ok := m.root()
	if !ok {
		return fmt.Errorf("%w; with your package manager, please install: %s", errCannotInstall, strings.Join(packages, " "))
	}
	allow, err := m.forbidServices(root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, allow()) }()

	// Another apt-get may be at work on a fresh machine: wait for its lock.
	apt := append(root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300")
	install := append(apt[:len(apt):len(apt)], append([]string{"install", "--no-install-recommends"}, packages...)...)
	if m.run(install...) == nil {
		return nil
	}
	// The lists of packages may be missing or old.
	if err := m.run(append(apt[:len(apt):len(apt)], "update")...); err != nil {
		return err
	}
	return m.run(install...)
}

// root returns the words to put before a command that needs root, and whether there is a way to install at all.
func (m machine) root() (prefix []string, ok bool) {
	switch {
	case !m.has("apt-get"):
		return nil, false
	case m.isRoot:
		return nil, true
	case m.has("sudo") && m.run("sudo", "-n", "true") == nil:
		return []string{"sudo", "-n"}, true
	}
	return nil, false
}

// forbidServices keeps package scripts from starting services until the returned function is called. A policy that is there already stays.
func (m machine) forbidServices(root []string) (allow func() error, err error) {
	if _, err := os.Stat(m.policy); err == nil {
		return func() error { return nil }, nil
	}
	tmp, err := os.CreateTemp("", "policy-rc.d-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(policyText)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return nil, err
	}
	if err := m.run(append(root[:len(root):len(root)], "install", "-m", "755", tmp.Name(), m.policy)...); err != nil {
		return nil, err
	}
	return func() error { return m.run(append(root[:len(root):len(root)], "rm", "-f", m.policy)...) }, nil
}
