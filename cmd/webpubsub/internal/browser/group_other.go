//go:build !unix && !windows

package browser

import "syscall"

// ownGroup is for systems without groups of processes.
func ownGroup() *syscall.SysProcAttr { return nil }
