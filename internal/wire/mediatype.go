package wire

import "strings"

// The media types that user events and their answers have.
const (
	MediaText     = "text/plain"
	MediaJSON     = "application/json"
	MediaBinary   = "application/octet-stream"
	MediaProtobuf = "application/x-protobuf"

	ContentTypeText = MediaText + "; charset=utf-8"
	ContentTypeJSON = MediaJSON + "; charset=utf-8"
)

// MediaType returns a content type without its parameters, in lower case.
// Malformed content types come back as they are: MQTT clients choose them
// freely, and an odd one is no reason to lose the event.
func MediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}
