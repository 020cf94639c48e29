package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

func (a *app) tokenCommand() *cobra.Command {
	var (
		hub              string
		connectionString string
		options          webpubsub.ClientAccessOptions
	)
	c := &cobra.Command{
		Use:   "token",
		Short: "Print a URL for a client",
		Long:  helpText("token"),
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.token(c, connectionString, hub, &options)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&hub, "hub", defaultHub, "hub that the client connects to")
	f.StringVar(&options.UserID, "user", "", "user id of the client")
	f.StringArrayVar(&options.Roles, "role", nil, "role of the client")
	f.StringArrayVar(&options.Groups, "group", nil, "group that the client is in from the start")
	f.DurationVar(&options.Lifetime, "lifetime", time.Hour, "until when the client may connect")
	f.StringVar(&connectionString, "connection-string", "", "service and key")
	return c
}

func (a *app) token(c *cobra.Command, connectionString, hub string, options *webpubsub.ClientAccessOptions) error {
	if err := checkHub(hub); err != nil {
		return err
	}
	if options.Lifetime <= 0 { // which the library takes for its default
		return usagef("--lifetime: expected a time to come, such as 90m")
	}
	service, err := a.connection(connectionString)
	if err != nil {
		return err
	}
	client, err := webpubsub.NewClient(service.text, hub, nil)
	if err != nil {
		return usagef("%s", library(err))
	}
	access, err := client.ClientAccessURL(c.Context(), options)
	if err != nil {
		return usagef("%s", library(err))
	}
	if a.json {
		return a.printJSON(access)
	}
	_, err = fmt.Fprintln(a.stdout, access.URL)
	return err
}

func checkHub(hub string) error {
	if !wire.ValidHub(hub) {
		return usagef("--hub: %.130q is no name of a hub: expected a letter, then up to 127 letters, digits and any of _`,.[]", hub)
	}
	return nil
}

// library returns the text of an error of our packages without their name.
func library(err error) string {
	text := err.Error()
	for _, prefix := range []string{"webpubsub: ", "ClientAccess: ", "emulator: ", "guard: ", "localca: ", "settingsfile: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}
