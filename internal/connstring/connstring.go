// Package connstring reads the connection strings of Azure Web PubSub:
//
//	Endpoint=https://<name>.webpubsub.azure.com;AccessKey=<key>;Version=1.0;
//
// Its errors name what is wrong and never repeat the text, which holds a key.
package connstring

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// ConnectionString is one endpoint and one of its access keys.
type ConnectionString struct {
	Scheme    string // http or https
	Host      string // lower case, without port; an IPv6 address without brackets
	Port      int    // the scheme's own port when none was given
	AccessKey string // exactly as printed: it is never decoded
}

// Code tells the errors of Parse apart.
type Code string

// The codes of Parse's errors.
const (
	Empty            Code = "empty"
	MalformedSegment Code = "malformed_segment"
	DuplicateKey     Code = "duplicate_key"
	MissingEndpoint  Code = "missing_endpoint"
	MissingAccessKey Code = "missing_access_key"
	InvalidEndpoint  Code = "invalid_endpoint"
	InvalidPort      Code = "invalid_port"
)

// Error is what Parse returns.
type Error struct {
	Code   Code
	Reason string
}

func (e *Error) Error() string { return e.Reason }

// Parse reads a connection string: segments separated by semicolons, each a
// name and a value around the first equals sign, names without regard to case,
// outer white space removed, unknown names ignored.
func Parse(s string) (*ConnectionString, error) {
	values := make(map[string]string)
	n := 0
	for segment := range strings.SplitSeq(s, ";") {
		segment = strings.TrimSpace(segment)
		if segment == "" {
			continue
		}
		n++
		name, value, ok := strings.Cut(segment, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok || name == "" {
			return nil, &Error{MalformedSegment, fmt.Sprintf("segment %d is not of the form name=value", n)}
		}
		if _, ok := values[name]; ok {
			return nil, &Error{DuplicateKey, fmt.Sprintf("segment %d repeats the name of an earlier one", n)}
		}
		values[name] = strings.TrimSpace(value)
	}
	switch {
	case n == 0:
		return nil, &Error{Empty, "it is empty"}
	case values["endpoint"] == "":
		return nil, &Error{MissingEndpoint, "it has no Endpoint"}
	case values["accesskey"] == "":
		return nil, &Error{MissingAccessKey, "it has no AccessKey"}
	}
	cs, err := parseEndpoint(values["endpoint"])
	if err != nil {
		return nil, err
	}
	cs.AccessKey = values["accesskey"]
	if port, ok := values["port"]; ok {
		if cs.Port, ok = parsePort(port); !ok {
			return nil, &Error{InvalidPort, "Port is not a number from 1 to 65535"}
		}
	}
	return cs, nil
}

// Endpoint returns the endpoint's URL in its shortest form: no trailing slash,
// no default port.
func (cs *ConnectionString) Endpoint() string {
	host := cs.Host
	if cs.Port != defaultPort(cs.Scheme) {
		host = net.JoinHostPort(host, strconv.Itoa(cs.Port))
	} else if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return cs.Scheme + "://" + host
}

// parseEndpoint reads an endpoint, for which https is assumed when it has no
// scheme. Path and query have no meaning and are ignored.
func parseEndpoint(endpoint string) (*ConnectionString, error) {
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, &Error{InvalidEndpoint, "Endpoint is not a URL"}
	}
	cs := &ConnectionString{Scheme: u.Scheme, Host: wire.LowerHost(u.Hostname()), Port: defaultPort(u.Scheme)}
	if cs.Port == 0 {
		return nil, &Error{InvalidEndpoint, "Endpoint has a scheme other than http and https"}
	}
	if u.User != nil || !wire.ValidHost(cs.Host) {
		return nil, &Error{InvalidEndpoint, "Endpoint has no valid host name"}
	}
	if port := u.Port(); port != "" {
		var ok bool
		if cs.Port, ok = parsePort(port); !ok {
			return nil, &Error{InvalidEndpoint, "Endpoint has a port outside 1 to 65535"}
		}
	}
	return cs, nil
}

func parsePort(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return int(n), err == nil && n > 0
}

func defaultPort(scheme string) int {
	switch scheme {
	case "http":
		return 80
	case "https":
		return 443
	}
	return 0
}
