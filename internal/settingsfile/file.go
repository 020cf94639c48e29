// Package settingsfile reads the settings of the local service from a file and
// from the environment, in the shape that Microsoft's emulator reads (its
// README): a JSON file, usually appsettings.json, with a section WebPubSub.
//
//	{
//	  "Urls": "http://localhost:8080",
//	  "WebPubSub": {
//	    "Hubs": {
//	      "chat": {
//	        "EventHandlers": [{
//	          "UrlTemplate": "http://localhost:3000/eventhandler/{event}",
//	          "SystemEvents": ["connect", "connected", "disconnected"],
//	          "EventPattern": "*"
//	        }]
//	      }
//	    }
//	  }
//	}
//
// As in .NET, names have no case, comments and trailing commas are allowed, and
// a member "A:B" is the member B of A. Environment variables win over the file,
// value by value: two underscores stand between names, and a number stands for
// the place in a list.
//
//	WebPubSub__Hubs__chat__EventHandlers__0__UrlTemplate=http://localhost:7071/events
//
// Beyond the emulator's, a hub has the members AnonymousConnectPolicy ("allow"
// or "deny") and WebSocketKeepAliveIntervalInSeconds (1 to 120), and an event
// handler has GroupPresenceEvents with the lists EventNames and GroupFilters, all
// named as in the service's resource (Microsoft.SignalRService/webPubSub/hubs).
// CloseOnEventFailure (true or false) of a hub is ours.
package settingsfile

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/gowebpubsub/webpubsub/emulator"
)

// MaxSize is how many bytes a file may have.
const MaxSize = 1 << 20

// A File is what a file and the environment say.
type File struct {
	// Settings are those of WebPubSub:Hubs, by the spelling of the file.
	Settings emulator.Settings

	// Listen says where to listen, in the order of Urls. Empty if nothing does.
	Listen []Listen

	// AccessKey is WebPubSub:AccessKey, empty if there is none. It has at least
	// 32 bytes, and can be put into a connection string.
	AccessKey string

	// Warnings tell what is not used, and where it stands.
	Warnings []string
}

// Listen is an address to listen on.
type Listen struct {
	TLS     bool   // https
	Address string // host:port as net.Listen takes it, without a host for all addresses
}

// An Error is one thing that is wrong, and where. What it says repeats no keys
// and no URLs.
type Error struct {
	// Name is the file, or "environment variable" and its name.
	Name string

	// Line and Column count from 1, the column in characters. They are 0 for
	// the environment.
	Line, Column int

	// Reason is what is wrong and what was expected.
	Reason string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Name + ": " + e.Reason
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.Name, e.Line, e.Column, e.Reason)
}

// Read reads a file's content and the environment, a list of name=value as
// os.Environ returns it. The name is for messages. A nil data is no file at
// all, which leaves the environment; a file without content is an error.
//
// The error is an *Error for text that is no JSON, and otherwise joins an
// *Error for each value that cannot be used, of which there are at most
// [MaxErrors].
func Read(name string, data []byte, environ []string) (*File, error) {
	root := &node{}
	if data != nil {
		if err := parse(data, root); err != nil {
			return nil, err.in(name, data)
		}
	}
	b := &binder{name: name, data: data}
	b.overlay(root, environ)
	f := b.file(root)
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	f.Warnings = b.warnings
	return f, nil
}

// MaxErrors is how many errors are reported at once.
const MaxErrors = 10

// A place is where a value stands: in the file, or in a variable.
type place struct {
	offset   int
	variable string
}

// A fault is an error in the file before its line is known.
type fault struct {
	offset int
	reason string
}

func (f *fault) in(name string, data []byte) *Error {
	line, column := position(data, f.offset)
	return &Error{Name: name, Line: line, Column: column, Reason: f.reason}
}

// position turns an offset into line and column.
func position(data []byte, offset int) (line, column int) {
	before := data[:min(offset, len(data))]
	line = 1 + bytes.Count(before, []byte("\n"))
	before = before[bytes.LastIndexByte(before, '\n')+1:]
	before = bytes.TrimPrefix(before, byteOrderMark) // no character of the line
	return line, 1 + len(bytes.Runes(before))
}
