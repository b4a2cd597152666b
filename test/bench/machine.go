//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// A machine is what figures depend on.
type machine struct {
	CPU    string
	Cores  int
	Kernel string
	Go     string
}

// thisMachine reads what the system tells; what it doesn't tell is "unknown".
func thisMachine() machine {
	return machine{
		CPU:    cpuModel(contentsOf("/proc/cpuinfo")),
		Cores:  runtime.NumCPU(),
		Kernel: "Linux " + strings.TrimSpace(contentsOf("/proc/sys/kernel/osrelease")),
		Go:     runtime.Version(),
	}
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s, %s", m.CPU, m.Cores, m.Kernel, m.Go)
}

// cpuModel reads the first model name out of /proc/cpuinfo; some architectures have none.
func cpuModel(cpuinfo string) string {
	_, name, _ := strings.Cut(field(cpuinfo, "model name"), ":")
	if name = strings.Join(strings.Fields(name), " "); name == "" {
		return "unknown " + runtime.GOARCH
	}
	return name
}

func contentsOf(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	return string(text)
}
