package wire

import (
	"mime"
	"strings"
)

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

// IsUTF8 reports whether a content type names no other charset than UTF-8, the
// only one that text frames can have.
func IsUTF8(contentType string) bool {
	if contentType == ContentTypeText || contentType == ContentTypeJSON || !strings.Contains(contentType, ";") {
		return true
	}
	_, params, err := mime.ParseMediaType(contentType)
	charset, ok := params["charset"]
	return err != nil || !ok || strings.EqualFold(charset, "utf-8")
}

// The service's words for what a content type means.
const (
	DataText     = "text"
	DataJSON     = "json"
	DataBinary   = "binary"
	DataProtobuf = "protobuf"
	DataOther    = "other"
)

// DataType returns what a content type means. Without one, data is binary; a
// media type that only MQTT clients can use is other.
func DataType(contentType string) string {
	switch MediaType(contentType) {
	case MediaText:
		return DataText
	case MediaJSON:
		return DataJSON
	case MediaBinary, "":
		return DataBinary
	case MediaProtobuf:
		return DataProtobuf
	}
	return DataOther
}
