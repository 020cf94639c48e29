package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/settingsfile"
)

// A configuration is what a file and the environment say, or what is wrong with
// them.
type configuration struct {
	file *settingsfile.File
	err  error
}

// watchConfig returns what the file says now, and again whenever it changes.
// Without a file there is only the environment, which does not change.
func (a *app) watchConfig(ctx context.Context, path string) <-chan configuration {
	configs := make(chan configuration, 1)
	if path == "" {
		file, err := settingsfile.Read("", nil, a.environ)
		configs <- configuration{file, err}
		close(configs)
		return configs
	}
	go func() {
		defer close(configs)
		settingsfile.Watch(ctx, path, a.environ, 0, func(file *settingsfile.File, err error) {
			select {
			case configs <- configuration{file, err}:
			case <-ctx.Done():
			}
		})
	}()
	return configs
}

// setConfig takes over the first configuration.
func (p *plan) setConfig(flags *pflag.FlagSet, c configuration) error {
	err := c.err
	if err == nil {
		err = c.file.Settings.Validate()
	}
	if err != nil {
		return &failure{err: libraryLines(err), hint: "the settings were not read, and the service did not start"}
	}
	p.file = c.file
	p.notes = append(p.notes, c.file.Warnings...)
	p.options.AccessKey = c.file.AccessKey
	p.options.Settings = p.merge(c.file.Settings)
	if err := p.options.Settings.Validate(); err != nil {
		return usagef("%v", libraryLines(err))
	}
	if len(c.file.Listen) == 0 || flags.Changed("listen") {
		return nil
	}
	first := c.file.Listen[0]
	if len(c.file.Listen) > 1 {
		p.note("Urls names %d addresses, and the service listens on the first only", len(c.file.Listen))
	}
	p.tls = p.tls || first.TLS
	p.address, err = parseAddress("Urls", first.Address)
	p.address.fixed = true
	return err
}

// follow applies changes of the file until the service has ended.
func (a *app) follow(s *service, ended <-chan struct{}) {
	for {
		select {
		case c, ok := <-s.configs:
			if !ok {
				return
			}
			a.applyConfig(s, c)
		case <-ended:
			return
		}
	}
}

func (a *app) applyConfig(s *service, c configuration) {
	var settings emulator.Settings
	err := c.err
	if err == nil {
		settings = s.plan.merge(c.file.Settings)
		err = s.emulator.Apply(settings)
	}
	before, after := routes(s.plan.options.Settings), routes(settings)
	switch {
	case err != nil:
		a.tellSettings(settingsLine{Error: libraryLines(err).Error()}, "error: the settings changed, and the old ones stay:\n"+indent(libraryLines(err).Error()))
		return
	case slices.EqualFunc(before, after, routeLine.equal):
		a.tellSettings(settingsLine{Handlers: after}, "note: the settings changed; events go where they went before")
	default:
		a.tellSettings(settingsLine{Handlers: after}, "note: the settings changed; now\n"+indent(strings.TrimSpace(routesText(after))))
	}
	s.plan.options.Settings = settings
	if c.file.AccessKey != s.plan.file.AccessKey || !slices.Equal(c.file.Listen, s.plan.file.Listen) {
		a.tell("note: AccessKey and Urls count from the next start on")
	}
	for _, warning := range c.file.Warnings {
		a.tell("note: %s", printable(warning))
	}
}

// A settingsLine tells machines of a change of the settings.
type settingsLine struct {
	Kind     string      `json:"kind"` // "settings"
	Handlers []routeLine `json:"handlers,omitempty"`
	Error    string      `json:"error,omitempty"` // why the old settings stay
}

func (a *app) tellSettings(line settingsLine, text string) {
	if a.json {
		line.Kind = "settings"
		_ = a.printJSON(line) // there is nobody to tell
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		a.tell("%s", printable(line))
	}
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(text, "\n", "\n  ")
}

func (r routeLine) equal(other routeLine) bool {
	return r.Hub == other.Hub && r.URL == other.URL && slices.Equal(r.Events, other.Events)
}

// libraryLines returns an error whose lines do not name our packages.
func libraryLines(err error) error {
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		lines = append(lines, library(fmt.Errorf("%s", line)))
	}
	return fmt.Errorf("%s", strings.Join(lines, "\n"))
}
