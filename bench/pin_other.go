//go:build !linux

package main

import (
	"errors"
	"os/exec"
	"time"
)

// A placement would say on which cores load generator and servers run. Only
// Linux offers that here.
type placement struct{}

func (placement) String() string { return "GOMAXPROCS=1 for each Go process, not pinned to cores" }

func pinLoad() (placement, error) {
	return placement{}, errors.New("this needs Linux")
}

func (placement) start(cmd *exec.Cmd) error { return cmd.Start() }

// cpuTime is not measured here.
func cpuTime(int) time.Duration { return 0 }
