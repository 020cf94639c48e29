//go:build unix

package browser

import "syscall"

// ownGroup keeps a terminal from interrupting the browser with the command: it
// does that to the group of processes in front.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
