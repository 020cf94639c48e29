package browser

import "syscall"

// ownGroup keeps a console from interrupting the browser with the command.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
