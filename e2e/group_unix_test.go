//go:build unix

package e2e_test

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
)

// ownGroup gives a process that is to be started a group of its own, in which
// all that it starts is found again.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// groupIsGone fails while a process of the group is left.
func groupIsGone(cmd *exec.Cmd) error {
	if err := syscall.Kill(-cmd.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("something that %s started is still running", cmd)
	}
	return nil
}

// killGroup ends what a test has left behind.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
