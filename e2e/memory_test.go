package e2e_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	samplePause = 200 * time.Millisecond
	growth      = 1.5      // of the last third over the one in the middle, at most,
	growthFloor = 32 << 10 // and so many KiB: a garbage collector takes its time
)

// sampleMemory measures the memory of a process again and again, until the
// function that it returns is called. It knows only Linux.
func sampleMemory(t *testing.T, pid int) func() []int {
	if runtime.GOOS != "linux" {
		return func() []int { return nil }
	}
	stop, result := make(chan struct{}), make(chan []int)
	go func() {
		var samples []int
		ticker := time.NewTicker(samplePause)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				result <- samples
				return
			case <-ticker.C:
				kib, err := residentMemory(pid)
				if err != nil {
					t.Error(err)
				}
				samples = append(samples, kib)
			}
		}
	}()
	return func() []int {
		close(stop)
		return <-result
	}
}

// residentMemory returns how many KiB of memory a process has.
func residentMemory(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			return strconv.Atoi(fields[1])
		}
	}
	return 0, fmt.Errorf("process %d has no VmRSS", pid)
}

// checkMemory fails the test when a process has grown all the time.
func checkMemory(t *testing.T, samples []int) {
	t.Helper()
	third := len(samples) / 3
	if third == 0 {
		t.Log("the memory was not measured")
		return
	}
	begin, middle, end := mean(samples[:third]), mean(samples[third:2*third]), mean(samples[2*third:])
	t.Logf("memory of the process: %d MiB in the first third of the time, %d in the second, %d in the last", begin>>10, middle>>10, end>>10)
	if end > int(growth*float64(middle))+growthFloor {
		t.Errorf("the process grows: %d KiB in the last third of the time, %d in the one before", end, middle)
	}
}

func mean(values []int) int {
	sum := 0
	for _, v := range values {
		sum += v
	}
	return sum / len(values)
}
