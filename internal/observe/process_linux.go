package observe

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"syscall"
	"time"

	"sluice/internal/observe/metric"
)

// system makes the metrics that Linux tells by getrusage, getrlimit and proc(5).
func system(set *metric.Set) {
	set.CounterFunc("process_cpu_seconds_total", "CPU time used, user and system.", cpuSeconds)
	set.GaugeFunc("process_resident_memory_bytes", "Memory in use (RSS).", residentBytes)
	set.GaugeFunc("process_open_fds", "Open file descriptors.", openDescriptors)
	set.GaugeFunc("process_max_fds", "Limit on open file descriptors.", maxDescriptors)
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return math.NaN()
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// residentBytes reads the second number of statm: pages in memory.
func residentBytes() float64 {
	text, _ := os.ReadFile("/proc/self/statm")
	numbers := bytes.Fields(text)
	if len(numbers) < 2 {
		return math.NaN()
	}
	pages, err := strconv.ParseInt(string(numbers[1]), 10, 64)
	if err != nil {
		return math.NaN()
	}
	return float64(pages * int64(os.Getpagesize()))
}

func openDescriptors() float64 {
	folder, err := os.Open("/proc/self/fd")
	if err != nil {
		return math.NaN()
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return math.NaN()
	}
	return float64(len(names) - 1) // without the one that reads
}

func maxDescriptors() float64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return math.NaN()
	}
	return float64(limit.Cur)
}
