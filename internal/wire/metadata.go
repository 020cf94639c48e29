package wire

import (
	"net/http"
	"strings"
)

// Metadata reads the x-webpubsub-metadata-* headers of a message, nil when
// there are none. Keys are in lower case; of several values the last one
// counts.
func Metadata(h http.Header) map[string]string {
	var metadata map[string]string
	for name, values := range h {
		metadata = AddMetadata(metadata, name, values)
	}
	return metadata
}

// AddMetadata adds one header to metadata if it is one of a message's, and
// makes metadata if it is nil then.
func AddMetadata(metadata map[string]string, name string, values []string) map[string]string {
	key, ok := strings.CutPrefix(name, PrefixMetadata)
	if !ok || key == "" || len(values) == 0 {
		return metadata
	}
	if metadata == nil {
		metadata = make(map[string]string)
	}
	metadata[strings.ToLower(key)] = values[len(values)-1]
	return metadata
}
