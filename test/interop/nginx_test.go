//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// An nginx is a running nginx: the master process in the foreground, and its workers.
type nginx struct {
	*process
	addr string // where its first server listens
	dir  string // its files; html is the document root
}

// startNginx starts nginx with a server on a free port. server is what stands in that server's block, http what stands beside it.
func startNginx(t *testing.T, server string, http ...string) *nginx {
	t.Helper()
	return startNginxAt(t, freeAddr(t), t.TempDir(), server, http...)
}

// startNginxAt is startNginx at an address, with its files in dir, which may be those of an nginx that has ended.
func startNginxAt(t *testing.T, addr, dir, server string, http ...string) *nginx {
	t.Helper()
	need(t, "nginx")
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // workers must be able to read the test's folder
	}
	temp := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temp += fmt.Sprintf("%s_temp_path %s/temp-%s;\n", kind, dir, kind)
	}
	n := &nginx{addr: addr, dir: dir}
	conf := write(t, dir, "nginx.conf", fmt.Sprintf(`
%s
daemon off;
worker_processes 2;
worker_shutdown_timeout 20s;
pid %s/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
	%s
	access_log off;
	default_type text/plain;
	types { text/html html; application/octet-stream bin; }
	client_max_body_size 0;
	gzip_proxied any;
	%s
	server {
		listen %s;
		root %s/html;
		%s
	}
}`, user, dir, temp, strings.Join(http, "\n"), addr, dir, server))
	if err := os.MkdirAll(filepath.Join(dir, "html"), 0o755); err != nil {
		t.Fatal(err)
	}
	n.process = start(t, "nginx", "-p", dir, "-e", "stderr", "-c", conf)
	n.listens("tcp", addr)
	return n
}

// file puts content into the document root.
func (n *nginx) file(name, content string) {
	n.t.Helper()
	write(n.t, n.dir, "html/"+name, content)
}

// reload has new workers take over and the old ones end after their present requests.
func (n *nginx) reload() {
	n.t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		n.t.Error(err)
	}
}
