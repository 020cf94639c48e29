// Package browser opens pages in the browser of whoever runs the command.
package browser

import (
	"errors"
	"os/exec"
	"runtime"
)

// Open opens a URL of this machine. It returns once the system has been asked,
// and an error when there is nobody to ask. A browser that this starts does not
// end with the command, nor by the Ctrl-C that ends it.
func Open(url string) error {
	name, args := opener(runtime.GOOS)
	path, err := exec.LookPath(name)
	if err != nil {
		return errors.New(name + " is not there")
	}
	cmd := exec.Command(path, append(args, url)...)
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return err
	}
	// Whatever it says, the page's address is printed. Without a Wait, what most
	// often ends at once would stay as a zombie for as long as the command runs.
	go func() { _ = cmd.Wait() }()
	return nil
}

// opener returns the program by which a system opens what people want to see.
func opener(system string) (name string, args []string) {
	switch system {
	case "darwin":
		return "open", nil
	case "windows":
		return "rundll32", []string{"url.dll,FileProtocolHandler"}
	}
	return "xdg-open", nil
}
