package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// A version tells which program this is, from what the Go tool put into it.
type version struct {
	Version  string `json:"version"`            // "(devel)" when it was built from a folder
	Revision string `json:"revision,omitempty"` // of the repository
	Time     string `json:"time,omitempty"`     // of the revision
	Modified bool   `json:"modified,omitempty"` // after the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func buildVersion() version {
	v := version{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = cmp.Or(info.Main.Version, v.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// String returns one line.
func (v version) String() string {
	text := "webpubsub " + v.Version
	if v.Revision != "" {
		text += fmt.Sprintf(" %.12s", v.Revision)
	}
	if v.Modified {
		text += " (modified)"
	}
	return text + " " + v.Go + " " + v.Platform
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  helpText("version"),
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(buildVersion())
			}
			_, err := fmt.Fprintln(a.stdout, buildVersion())
			return err
		},
	}
}
