//go:build interop

package interop

import (
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

// reload changes the config and has Sluice read it again, until that is in force.
func (s *sluice) reload(from, to string) {
	s.t.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	before := strings.Count(s.log.String(), "msg=reloaded")
	if err := os.WriteFile(s.config, []byte(strings.ReplaceAll(string(text), from, to)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
	s.until("reloads", func() bool { return strings.Count(s.log.String(), "msg=reloaded") > before })
}

func TestSluiceReloadsUnderLoad(t *testing.T) {
	a, b := startNginx(t, ""), startNginx(t, "")
	for _, n := range []*nginx{a, b} {
		n.file("a.bin", noise(50_000))
	}
	s := proxyTo(t, a.addr)
	underLoad(t, s.url+"/a.bin", noise(50_000), func() {
		from, to := a.addr, b.addr
		for range 6 {
			s.reload(from, to)
			from, to = to, from
			answered(t, s.url+"/a.bin", 50)
		}
	})
}

// SIGTERM lets the download that runs come to its end, and takes no new connection.
func TestSluiceEndsAfterTheDownloadThatRuns(t *testing.T) {
	n := startNginx(t, "")
	content := noise(30 << 20)
	n.file("big.bin", content)
	s := proxyTo(t, n.addr)
	resp, err := http.Get(s.url + "/big.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.until("closes its listener", func() bool {
		resp, err := newClient(t).Get(s.url + "/big.bin")
		if err == nil {
			resp.Body.Close()
		}
		return err != nil
	})
	rest, err := io.ReadAll(resp.Body)
	if err != nil || string(rest) != content[1<<20:] {
		t.Errorf("%d bytes of %d, %v", len(rest), len(content)-1<<20, err)
	}
	s.ends()
}
