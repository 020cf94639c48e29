package inspector

import (
	"bytes"
	"net/http"

	"github.com/gowebpubsub/webpubsub/emulator"
)

// shownBytes is how much of a body is shown.
const shownBytes = 64 << 10

// An exchange is one as it is kept, and never changed. Bodies that are only for
// show are shortened; the request of an event is kept whole, because it is part
// of the command that sends it again.
type exchange struct {
	emulator.Exchange
	bodyBytes, answerBytes int    // before the bodies were shortened
	size                   int    // of what is kept
	resend                 func() // nil if there is nothing to send
}

func keep(x emulator.Exchange) *exchange {
	k := &exchange{Exchange: x, bodyBytes: len(x.Body), answerBytes: len(x.Answer)}
	if x.Kind == emulator.CallExchange {
		k.Body = shorten(x.Body)
	}
	k.Answer = shorten(x.Answer)
	if x.CanResend() {
		k.resend = k.Resend
	}
	k.size = headerBytes(x.Header) + headerBytes(x.AnswerHeader) + len(k.Body) + len(k.Answer) +
		len(x.URL) + len(x.StateBefore) + len(x.StateAfter) + len(x.Hint)
	return k
}

// shorten returns a copy of a long body, so that the rest of it is not kept.
func shorten(body []byte) []byte {
	if len(body) <= shownBytes {
		return body
	}
	return bytes.Clone(body[:shownBytes])
}

func headerBytes(h http.Header) (n int) {
	for name, values := range h {
		for _, value := range values {
			n += len(name) + len(value)
		}
	}
	return n
}
