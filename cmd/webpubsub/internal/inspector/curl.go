package inspector

import (
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// maxArgument is how long a body may be as an argument. Linux takes 128 KiB for
// one; what is longer goes through a pipe.
const maxArgument = 64 << 10

// expectBytes is the size of a body above which some versions of curl ask
// whether they may send it.
const expectBytes = 1 << 10

// curl returns a command for a POSIX shell that sends the request of an
// exchange with curl, byte for byte as far as an application can see. It is
// empty if the request has something that no such text can hold.
func curl(x *exchange) string {
	var from string
	words := []string{"curl -i -X " + x.Method + curlFlags(x.URL) + " " + quote(x.URL)}
	for _, line := range headers(x.Header) {
		switch name, value := line[0], line[1]; {
		case name == "content-length":
		case value == "":
			words = append(words, "-H "+quote(name+";")) // a colon would leave it out
		default:
			words = append(words, "-H "+quote(name+": "+value))
		}
	}
	suppress := func(name string, ifAbsent bool) {
		if ifAbsent && !(isSent(x.Header, name) && len(x.Header[name]) > 0) {
			words = append(words, "-H "+quote(name+":"))
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
		return "printf %s " + quote(base64.StdEncoding.EncodeToString(data)) + " | base64 -d | ", "--data-binary @-"
	case len(data) > maxArgument:
		return "printf %s " + quote(string(data)) + " | ", "--data-binary @-"
	}
	return "", "--data-raw " + quote(string(data))
}

// isPasteable reports whether text gets through JSON, a clipboard and a terminal
// unchanged. A carriage return does not.
func isPasteable(data []byte) bool {
	for _, c := range data {
		if c < ' ' && c != '\t' && c != '\n' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(data)
}

// quote returns s as one word for a POSIX shell, in which nothing but the quote
// itself has a meaning between single quotes.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
