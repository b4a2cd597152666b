//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A usage is what a group of processes has used up so far.
type usage struct {
	cpu time.Duration // user and system time of all threads
	rss int64         // bytes resident now, shared pages counted in each process
}

// tick is the unit of times in /proc/PID/stat: the kernel reports hundredths of a second on all systems that Go runs on.
const tick = 10 * time.Millisecond

// groupUsage adds up all processes of a process group: nginx's master and its workers are one proxy.
func groupUsage(group int) (usage, error) {
	var sum usage
	members, err := groupMembers(group)
	if err != nil {
		return sum, err
	}
	if len(members) == 0 {
		return sum, fmt.Errorf("process group %d has ended", group)
	}
	for _, pid := range members {
		u, err := processUsage(pid)
		if err != nil && !gone(err) {
			return sum, err
		}
		sum.cpu += u.cpu
		sum.rss += u.rss
	}
	return sum, nil
}

// groupMembers lists the processes of a process group.
func groupMembers(group int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var members []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile(procPath(pid, "stat"))
		if err != nil {
			continue // it ended while we looked
		}
		if s, err := parseStat(string(text)); err == nil && s.group == group && !s.zombie {
			members = append(members, pid)
		}
	}
	return members, nil
}

// processUsage reads one process. Time comes from schedstat, in nanoseconds, thread by thread. A thread that ends takes its share out of that
// sum but not out of /proc/PID/stat, which is coarse: where the two differ by more than coarseness explains, the coarse one is right.
func processUsage(pid int) (usage, error) {
	text, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return usage{}, err
	}
	s, err := parseStat(string(text))
	if err != nil {
		return usage{}, err
	}
	precise, err := threadTime(pid)
	if err != nil {
		return usage{}, err
	}
	if s.cpu > precise+4*tick {
		precise = s.cpu
	}
	// Not VmRSS: the kernel keeps that per core and adds it up only roughly.
	rollup, err := os.ReadFile(procPath(pid, "smaps_rollup"))
	if err != nil {
		return usage{cpu: precise}, err
	}
	rss, err := parseKiB(field(string(rollup), "Rss:"))
	return usage{cpu: precise, rss: rss}, err
}

// threadTime adds up the running time of all threads of a process.
func threadTime(pid int) (time.Duration, error) {
	paths, err := filepath.Glob(procPath(pid, "task/*/schedstat"))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			if gone(err) {
				continue
			}
			return 0, err
		}
		ran, err := parseSchedstat(string(text))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		sum += ran
	}
	return sum, nil
}

// machineTime is what all cores did for anybody since the machine started, and what its host took away from them.
func machineTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseMachineTime(string(text))
}

// parseMachineTime reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal, and guests, which user includes.
func parseMachineTime(text string) (time.Duration, error) {
	words := strings.Fields(field(text, "cpu "))
	if len(words) < 8 {
		return 0, fmt.Errorf("/proc/stat: %d numbers in its first line", len(words))
	}
	var sum time.Duration
	for i, word := range words[:8] {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return 0, err
		}
		if i != 3 && i != 4 {
			sum += time.Duration(n) * tick
		}
	}
	return sum, nil
}

// A stat is what we need of /proc/PID/stat.
type stat struct {
	group  int
	zombie bool
	cpu    time.Duration // to a tick for user and system time each
}

// parseStat reads /proc/PID/stat. The name of the program stands in parentheses and may itself hold any byte, so we count from the last one.
func parseStat(text string) (stat, error) {
	end := strings.LastIndexByte(text, ')')
	fields := strings.Fields(text[end+1:])
	if end < 0 || len(fields) < 13 {
		return stat{}, fmt.Errorf("stat of a process: %d fields in %q", len(fields), text)
	}
	group, errGroup := strconv.Atoi(fields[2])
	user, errUser := strconv.ParseInt(fields[11], 10, 64)
	system, errSystem := strconv.ParseInt(fields[12], 10, 64)
	return stat{
		group:  group,
		zombie: fields[0] == "Z" || fields[0] == "X",
		cpu:    time.Duration(user+system) * tick,
	}, errors.Join(errGroup, errUser, errSystem)
}

// parseSchedstat reads the time on a core out of /proc/PID/task/TID/schedstat.
func parseSchedstat(text string) (time.Duration, error) {
	first, _, found := strings.Cut(strings.TrimSpace(text), " ")
	if !found {
		return 0, fmt.Errorf("schedstat %q: want three numbers", text)
	}
	ns, err := strconv.ParseInt(first, 10, 64)
	return time.Duration(ns), err
}

// parseKiB reads a size such as "5280 kB" and returns bytes.
func parseKiB(text string) (int64, error) {
	number, unit, _ := strings.Cut(strings.TrimSpace(text), " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || strings.TrimSpace(unit) != "kB" {
		return 0, fmt.Errorf("size %q: want a number of kB", text)
	}
	return n << 10, nil
}

// field returns what follows a name at the beginning of a line, to the end of the line; empty if there is no such line.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func procPath(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}

// gone is true for the errors of a process or thread that ended while we read about it.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}
