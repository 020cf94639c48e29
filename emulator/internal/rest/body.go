package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// message reads what a request sends: its body and the metadata in its headers.
func (h *handler) message(rq *request) (protocol.DataMessage, error) {
	metadata, err := readMetadata(rq.Header)
	if err != nil {
		return protocol.DataMessage{}, err
	}
	data, err := h.data(rq)
	return protocol.DataMessage{Group: rq.group, Data: data, Metadata: metadata}, err
}

// data reads the body as what its content type says. Text that is no valid
// UTF-8 is repaired: it could not travel in a text frame.
func (h *handler) data(rq *request) (protocol.Data, error) {
	dataType, decode, err := readContentType(rq.Header)
	if err != nil {
		return protocol.Data{}, err
	}
	body, err := h.read(rq)
	if err != nil {
		return protocol.Data{}, err
	}
	switch dataType {
	case wire.DataText:
		body = bytes.ToValidUTF8(decode(body), []byte("\uFFFD"))
	case wire.DataJSON:
		body = decode(body)
		if !utf8.Valid(body) || !json.Valid(body) {
			return protocol.Data{}, badRequest("body", "The request body is not valid JSON.")
		}
	}
	return protocol.Data{Type: dataType, Bytes: body}, nil
}

// readContentType returns the data type of a body and how to make UTF-8 of its
// text. No content type means binary.
func readContentType(h http.Header) (dataType string, decode decoder, err error) {
	switch encoding := wire.First(h, wire.HeaderContentEncoding); strings.ToLower(encoding) {
	case "", "identity":
	default:
		return "", nil, unsupported("Content-Encoding", "The request body must not be compressed.")
	}
	const want = "want text/plain, application/json, application/octet-stream or application/x-protobuf"
	values := h[wire.HeaderContentType]
	if len(values) > 1 {
		return "", nil, unsupported("Content-Type", "The Content-Type is given %d times: %s.", len(values), want)
	}
	if len(values) == 0 || strings.TrimSpace(values[0]) == "" {
		return wire.DataBinary, asIs, nil
	}
	media, params, err := mime.ParseMediaType(values[0])
	if err != nil {
		return "", nil, unsupported("Content-Type", "The Content-Type is not well-formed: %s.", want)
	}
	dataType = wire.DataType(media)
	switch dataType {
	case wire.DataOther:
		return "", nil, unsupported("Content-Type", "The Content-Type is not supported: %s.", want)
	case wire.DataBinary, wire.DataProtobuf:
		return dataType, asIs, nil
	}
	decode, ok := charsets[strings.ToLower(params["charset"])]
	if !ok {
		return "", nil, unsupported("Content-Type", "The charset is not supported: want one of %s.", knownCharsets)
	}
	return dataType, decode, nil
}

// read reads the whole body.
func (h *handler) read(rq *request) ([]byte, error) {
	if rq.ContentLength > h.maxBody {
		return nil, tooLarge(h.maxBody)
	}
	body, err := io.ReadAll(http.MaxBytesReader(rq.w, rq.Body, h.maxBody))
	if err == nil {
		return body, nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge(h.maxBody)
	}
	f := badRequest("body", "The request body could not be read.")
	f.cause = err
	return nil, f
}

// readMetadata reads the metadata headers of a message. Lines of one header are
// a list, however they came, and its last element counts.
func readMetadata(h http.Header) (map[string]string, error) {
	metadata := wire.Metadata(h)
	total := 0
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		value := metadata[key]
		value = strings.TrimSpace(value[strings.LastIndexByte(value, ',')+1:])
		metadata[key] = value
		total += len(key) + len(value)
		switch {
		case !wire.ValidToken(key):
			return nil, badMetadata("a key has characters that no header name has")
		case len(key) > wire.MaxMetadataKey:
			return nil, badMetadata("a key has %d bytes, want %d at most", len(key), wire.MaxMetadataKey)
		case len(value) > wire.MaxMetadataValue:
			return nil, badMetadata("the value of %s has %d bytes, want %d at most", key, len(value), wire.MaxMetadataValue)
		case strings.ContainsFunc(value, func(c rune) bool { return c > 0x7f }):
			return nil, badMetadata("the value of %s has characters outside ASCII", key)
		case total > wire.MaxMetadataTotal:
			return nil, badMetadata("keys and values have more than %d bytes", wire.MaxMetadataTotal)
		}
	}
	return metadata, nil
}

func badMetadata(format string, args ...any) error {
	return badRequest("metadata", "Invalid metadata: "+format+".", args...)
}
