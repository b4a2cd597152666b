//go:build linux

package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"
)

//go:embed peers
var peerFiles embed.FS

// filesMax is how many descriptors we ask for: enough for the proxy's two sides of all connections.
const filesMax = 40000

// A peerKind is a proxy that can be measured.
type peerKind struct {
	template string // of its configuration, in peers/
	install  string // Debian's package; empty for Sluice
	argv     func(binary, config string, workers int) []string
	version  []string // arguments that make it tell its version
}

// peerKinds are all proxies by the name of -proxies.
func peerKinds() map[string]peerKind {
	sluice := peerKind{
		template: "sluice.yaml.tmpl",
		argv: func(binary, config string, workers int) []string { // a loop for each processor that Go may use
			return []string{"env", "GOMAXPROCS=" + strconv.Itoa(workers), binary, "run", "--config", config}
		},
		version: []string{"version"},
	}
	observed := sluice
	observed.template = "observed.yaml.tmpl"
	return map[string]peerKind{
		"sluice":   sluice,
		"base":     sluice,
		"observed": observed,
		"nginx": {
			template: "nginx.conf.tmpl",
			install:  "nginx",
			argv:     func(binary, config string, _ int) []string { return []string{binary, "-c", config} },
			version:  []string{"-v"},
		},
		"haproxy": {
			template: "haproxy.cfg.tmpl",
			install:  "haproxy",
			argv:     func(binary, config string, _ int) []string { return []string{binary, "-db", "-f", config} },
			version:  []string{"-v"},
		},
	}
}

// A peer is a proxy of this run.
type peer struct {
	name   string
	kind   peerKind
	binary string
}

// A setup is what the templates in peers/ may use.
type setup struct {
	Dir              string // for the files of this proxy
	Root             bool   // we are root
	Workers          int    // processes, threads or loops
	Files            int    // descriptors that a process may have
	Connections      int    // clients' connections at a time
	NginxConnections int    // the same and the origin's, for each worker
	NginxBuffer      string
	Port             int
	Listen, Origin   string
	Content          int // bytes of the larger content, to choose buffers by
}

// connectionsMax is how many clients a proxy is set up for. A connection takes a descriptor on each side and a share of HAProxy's pipes.
func connectionsMax(files int) int {
	return min(12000, (files-200)/3)
}

// newSetup fills in what depends on the machine and the workload.
func newSetup(dir string, w workload, port, originPort, files int) setup {
	connections := connectionsMax(files)
	buffer := "64k"
	if w.content >= 1<<20 {
		buffer = "256k"
	}
	return setup{
		NginxBuffer: buffer,
		Dir:         dir, Root: os.Geteuid() == 0, Workers: w.workers, Files: files, Connections: connections, NginxConnections: connections + 2048,
		Port: port, Listen: local(port), Origin: local(originPort), Content: w.content,
	}
}

// start writes the proxy's configuration and starts it. It returns once the proxy listens and forwards correctly.
func (p peer) start(ctx context.Context, s setup, cores []int) (*child, error) {
	s.Dir = filepath.Join(s.Dir, p.name)
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, err
	}
	text, err := render(p.kind.template, s)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(s.Dir, strings.TrimSuffix(p.kind.template, ".tmpl"))
	if err := os.WriteFile(config, text, 0o644); err != nil {
		return nil, err
	}
	c, err := startChild(p.name, s.Dir, cores, p.kind.argv(p.binary, config, s.Workers)...)
	if err != nil {
		return nil, err
	}
	if err := c.awaitPort(ctx, s.Port); err != nil {
		c.stop()
		return nil, err
	}
	if err := checkForwarding(ctx, s.Listen); err != nil {
		c.stop()
		return nil, c.failure(err)
	}
	return c, nil
}

// render fills in a template of peers/.
func render(name string, s setup) ([]byte, error) {
	t, err := template.ParseFS(peerFiles, "peers/"+name)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = t.Execute(&text, s)
	return text.Bytes(), err
}

// checkForwarding makes sure that what is measured is a proxy that works: one response, every byte of it.
func checkForwarding(ctx context.Context, address string) error {
	const size = 300_000
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/%d", address, size), nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || !bytes.Equal(content, contentOf(size)) {
		return fmt.Errorf("answers status %d and %d bytes that are not the origin's %d", response.StatusCode, len(content), size)
	}
	return nil
}

// findPeers looks for the proxies' binaries and for the tools. All that is missing is told at once, with how to install it.
func findPeers(ctx context.Context, o options, dir string) ([]peer, error) {
	var peers []peer
	var packages []string
	look := func(program, install string) string {
		path, err := exec.LookPath(program)
		if err == nil {
			return path
		}
		if path, err = exec.LookPath("/usr/sbin/" + program); err != nil { // Debian's users don't have it in their PATH
			packages = append(packages, install)
		}
		return path
	}
	look("wrk", "wrk")
	look("taskset", "util-linux")
	for _, name := range o.proxies {
		p := peer{name: name, kind: peerKinds()[name]}
		switch {
		case p.kind.install != "":
			p.binary = look(p.kind.install, p.kind.install)
		case name == "base":
			p.binary = o.base
		default:
			p.binary = o.sluice
		}
		peers = append(peers, p)
	}
	if len(packages) > 0 {
		return nil, fmt.Errorf("%s missing; on Debian and Ubuntu: apt-get install %s", strings.Join(packages, ", "), strings.Join(packages, " "))
	}
	for i := range peers {
		if peers[i].binary == "" {
			peers[i].binary = filepath.Join(dir, "sluice.built")
			if err := buildSluice(ctx, peers[i].binary); err != nil {
				return nil, err
			}
		}
	}
	return peers, nil
}

// buildSluice builds ./cmd/sluice of the working tree that we are in.
func buildSluice(ctx context.Context, binary string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "sluice/cmd/sluice")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as "make build" does
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build sluice/cmd/sluice: %w\n%s", err, out)
	}
	return nil
}

// versionOf is the first line that a proxy prints about itself.
func (p peer) versionOf(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, p.binary, p.kind.version...).CombinedOutput()
	if err != nil {
		return p.name + " (version unknown)"
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

// raiseFiles lifts our limit of descriptors, which the children inherit, and returns it. Root may lift the hard limit as well.
func raiseFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	higher := syscall.Rlimit{Cur: max(limit.Max, filesMax), Max: max(limit.Max, filesMax)}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &higher); err == nil {
		return int(min(higher.Cur, 1<<20)), nil
	}
	limit.Cur = limit.Max
	return int(min(limit.Cur, 1<<20)), syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
