package inspector

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/shell"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// maxArgument is how long a body may be as an argument. Linux takes 128 KiB for
// one; what is longer goes through a pipe.
const maxArgument = 64 << 10

// expectBytes is the size of a body above which some versions of curl ask
// whether they may send it.
const expectBytes = 1 << 10

// curl returns a command for a POSIX shell or fish that sends the request of an
// exchange with curl, byte for byte as far as an application can see. It is
// empty if the request has something that no such text can hold.
func curl(x *exchange) string {
	var from string
	words := []string{"curl -i -X " + x.Method + curlFlags(x.URL) + " " + shell.Quote(x.URL)}
	for _, line := range headers(x.Header) {
		switch name, value := line[0], line[1]; {
		case name == "content-length":
		case value == "":
			words = append(words, "-H "+shell.Quote(name+";")) // a colon would leave it out
		default:
			words = append(words, "-H "+shell.Quote(name+": "+value))
		}
	}
	suppress := func(name string, ifAbsent bool) {
		if ifAbsent && !(isSent(x.Header, name) && len(x.Header[name]) > 0) {
			words = append(words, "-H "+shell.Quote(name+":"))
		}
	}
	sendsBody := len(x.Body) > 0 || x.Method == http.MethodPost
	suppress("User-Agent", true)
	suppress("Accept", true)
	suppress(wire.HeaderContentType, sendsBody)
	suppress("Expect", len(x.Body) > expectBytes)
	if sendsBody {
		var data string
		from, data = curlBody(x.Body)
		words = append(words, data)
	}
	command := from + strings.Join(words, " \\\n  ")
	if !isPasteable([]byte(command)) {
		return ""
	}
	return command
}

// curlFlags returns flags that keep curl from reading patterns in a URL, or
// tidying its path.
func curlFlags(url string) (flags string) {
	if strings.ContainsAny(url, "[]{}") {
		flags += " -g"
	}
	if strings.Contains(url, "/.") {
		flags += " --path-as-is"
	}
	return flags
}

// curlBody returns what gives curl the body, and what has to stand before the
// command for that. Other than --data-binary, --data-raw takes an @ for an @.
// printf is part of the shell and has no limit for its arguments.
func curlBody(data []byte) (before, flag string) {
	switch {
	case !isPasteable(data):
		return "printf %s " + shell.Quote(base64.StdEncoding.EncodeToString(data)) + " | base64 -d | ", "--data-binary @-"
	case len(data) > maxArgument:
		return "printf %s " + shell.Quote(string(data)) + " | ", "--data-binary @-"
	}
	return "", "--data-raw " + shell.Quote(string(data))
}

// isPasteable reports whether text gets through JSON, a clipboard and a terminal
// unchanged, and looks like what it is. Control characters do not, since a
// terminal obeys them, nor what is only seen by its effect, such as marks that
// turn the direction of writing.
func isPasteable(data []byte) bool {
	return utf8.Valid(data) && !bytes.ContainsFunc(data, func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) })
}
