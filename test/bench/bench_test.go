//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain is also the origin and the WebSocket load of TestMeasuresRealProxies: the benchmark starts its own binary for them.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == originCommand || os.Args[1] == websocketCommand) {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestMeasuresRealProxies(t *testing.T) {
	for _, program := range []string{"wrk", "taskset", "/usr/sbin/nginx", "/usr/sbin/haproxy"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%v (apt-get install nginx haproxy wrk util-linux)", err)
		}
	}
	o, err := parseOptions(strings.Fields("-proxies nginx,haproxy -rounds 1 -duration 500ms -idle 1000 -workload 1k,upload,websocket,idle -json"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBench(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	r, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.write(&text, o.format); err != nil || !json.Valid(text.Bytes()) {
		t.Errorf("report: %v\n%s", err, text.String())
	}
	if err := r.faults(); err != nil {
		t.Error(err)
	}
	for _, table := range r.Tables {
		for _, row := range table.Rows {
			// Wide bounds: on a busy machine figures are bad, but not absurd.
			if v := row.Value.Median; v < 0.05 || v > 50_000 || row.RSS < 1 || row.Rate <= 0 {
				t.Errorf("%s: %+v", table.Workload, row)
			}
		}
	}
}

func TestEndsWhatItStartedWhenItIsInterrupted(t *testing.T) {
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Skip(err)
	}
	cores, err := chooseCores("")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{dir: t.TempDir(), self: os.Args[0], options: options{cores: cores}}
	origin, _, err := b.startOrigin(t.Context(), allWorkloads()[0])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.workload(ctx, allWorkloads()[0]); err == nil {
		t.Error("a workload is measured after the end")
	}
	b.close()
	select {
	case <-origin.done:
	default:
		t.Error("the origin still runs")
	}
	if members, err := groupMembers(origin.cmd.Process.Pid); err != nil || len(members) > 0 {
		t.Errorf("left over: %v, %v", members, err)
	}
}
