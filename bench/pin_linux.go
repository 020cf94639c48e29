package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A placement says on which cores load generator and servers run. The zero
// placement leaves that to the system.
type placement struct {
	pinned       bool
	load, server int
}

func (p placement) String() string {
	if !p.pinned {
		return "GOMAXPROCS=1 for each Go process, not pinned to cores"
	}
	return fmt.Sprintf("load generator on core %d; each server alone on core %d, the Go ones with GOMAXPROCS=1", p.load, p.server)
}

// pinLoad moves this process to the first core that it may use and chooses the
// second for the servers.
func pinLoad() (placement, error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return placement{}, err
	}
	var cores []int
	for cpu := 0; len(cores) < 2 && cpu < 64*len(allowed); cpu++ {
		if allowed.IsSet(cpu) {
			cores = append(cores, cpu)
		}
	}
	if len(cores) < 2 {
		return placement{}, fmt.Errorf("only one core is available")
	}
	// The affinity belongs to each thread; those to come inherit it.
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return placement{}, err
	}
	for _, thread := range threads {
		tid, err := strconv.Atoi(thread.Name())
		if err != nil {
			return placement{}, err
		}
		if err := pinThread(tid, cores[0]); err != nil && err != unix.ESRCH {
			return placement{}, err
		}
	}
	return placement{true, cores[0], cores[1]}, nil
}

// start starts cmd on the servers' core: a process inherits the affinity of
// the thread that makes it.
func (p placement) start(cmd *exec.Cmd) error {
	if !p.pinned {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := pinThread(0, p.server); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	return pinThread(0, p.load)
}

func pinThread(tid, cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(tid, &set)
}

// cpuTime returns the processor time that a process has used, 0 when it cannot
// be told.
func cpuTime(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// proc_pid_stat(5): behind the name in parentheses, utime and stime are the
	// 12th and 13th field, in ticks that Linux reports as hundredths of a second.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
