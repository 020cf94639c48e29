package main

import (
	"net/netip"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/connstring"
)

// The environment variables that hold a connection string: the name that the
// service's samples use, and the one of Azure's guidelines.
var connectionVariables = []string{"WebPubSubConnectionString", "AZURE_WEBPUBSUB_CONNECTION_STRING"}

// defaultHub is the hub of whoever names none.
const defaultHub = "chat"

// localConnectionString is that of webpubsub dev, and of Microsoft's emulator.
const localConnectionString = "Endpoint=" + emulator.DefaultEndpoint + ";AccessKey=" + emulator.DefaultAccessKey + ";Version=1.0;"

// A connection is a connection string and where it was found.
type connection struct {
	*connstring.ConnectionString
	text   string
	source string // a flag or an environment variable; empty for the default
}

// connection returns the service to work for: that of the flag, of the
// environment, or the local one.
func (a *app) connection(flag string) (*connection, error) {
	c := &connection{text: localConnectionString}
	for _, name := range connectionVariables {
		if value := a.getenv(name); value != "" && c.source == "" {
			c.text, c.source = value, name
		}
	}
	if flag != "" {
		c.text, c.source = flag, "--connection-string"
	}
	var err error
	if c.ConnectionString, err = connstring.Parse(c.text); err != nil {
		return nil, &usageError{
			text: c.source + " holds no connection string: " + err.Error(),
			hint: "it looks like Endpoint=http://localhost:8080;AccessKey=…;Version=1.0;",
		}
	}
	return c, nil
}

// isLocal reports whether a host is this machine, whatever network it is in.
func isLocal(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
