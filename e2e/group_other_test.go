//go:build !unix

package e2e_test

import "os/exec"

// There are no process groups here.

func ownGroup(*exec.Cmd) {}

func groupIsGone(*exec.Cmd) error { return nil }

func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
