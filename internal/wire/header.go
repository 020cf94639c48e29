// Package wire is the one place that knows how the Azure Web PubSub upstream
// protocol looks on the wire: header names, event types, origins, signatures,
// media types and the JSON of the bodies, in both directions. Package upstream
// answers with it, the test kit and the local service send with it.
//
// The facts come from the CloudEvents reference of Azure Web PubSub and its
// MQTT counterpart (reference-cloud-events, reference-mqtt-cloud-events on
// learn.microsoft.com) unless a comment names another source.
package wire

import (
	"net/http"
	"slices"
	"strings"
)

// Header names in the canonical spelling of net/http, so that a header map can
// be indexed without canonicalising the key again. [OnWire] gives the spelling
// of the documents.
const (
	HeaderRequestOrigin        = "Webhook-Request-Origin"
	HeaderAllowedOrigin        = "Webhook-Allowed-Origin"
	HeaderSpecVersion          = "Ce-Specversion"
	HeaderAWPSVersion          = "Ce-Awpsversion"
	HeaderType                 = "Ce-Type"
	HeaderSource               = "Ce-Source"
	HeaderID                   = "Ce-Id"
	HeaderTime                 = "Ce-Time"
	HeaderSignature            = "Ce-Signature"
	HeaderConnectionID         = "Ce-Connectionid"
	HeaderHub                  = "Ce-Hub"
	HeaderEventName            = "Ce-Eventname"
	HeaderUserID               = "Ce-Userid"
	HeaderSubprotocol          = "Ce-Subprotocol"
	HeaderConnectionState      = "Ce-Connectionstate"
	HeaderPhysicalConnectionID = "Ce-Physicalconnectionid"
	HeaderSessionID            = "Ce-Sessionid"
	HeaderClientRequestID      = "X-Ms-Client-Request-Id"
	HeaderContentType          = "Content-Type"
	HeaderContentEncoding      = "Content-Encoding"

	// PrefixMetadata starts the headers that carry the metadata of one message.
	PrefixMetadata = "X-Webpubsub-Metadata-"
	// PrefixMQTT starts the headers that carry MQTT user properties.
	PrefixMQTT = "Mqtt-"
)

// The versions that the service announces: of its protocol, and of CloudEvents.
const (
	AWPSVersion = "1.0"
	SpecVersion = "1.0"
)

// The limits below are those of Microsoft's emulator, which copies the service.
const (
	// MaxAnswerBytes is the longest answer that the service reads.
	MaxAnswerBytes = 16 << 20

	// The limits of the metadata of one message.
	MaxMetadataKey   = 256
	MaxMetadataValue = 1024
	MaxMetadataTotal = 8 << 10
)

// The WebSocket subprotocols that the service speaks itself.
const (
	SubprotocolJSON             = "json.webpubsub.azure.v1"
	SubprotocolJSONReliable     = "json.reliable.webpubsub.azure.v1"
	SubprotocolProtobuf         = "protobuf.webpubsub.azure.v1"
	SubprotocolProtobufReliable = "protobuf.reliable.webpubsub.azure.v1"
	SubprotocolMQTT             = "mqtt"
)

// EventValidate takes the place of {event} in a URL template when the service
// asks for consent.
const EventValidate = "validate"

// OnWire returns the documents' spelling of a canonical header name.
func OnWire(canonical string) string {
	switch canonical {
	case HeaderRequestOrigin:
		return "WebHook-Request-Origin"
	case HeaderAllowedOrigin:
		return "WebHook-Allowed-Origin"
	case HeaderConnectionID:
		return "ce-connectionId"
	case HeaderEventName:
		return "ce-eventName"
	case HeaderUserID:
		return "ce-userId"
	case HeaderConnectionState:
		return "ce-connectionState"
	case HeaderPhysicalConnectionID:
		return "ce-physicalConnectionId"
	case HeaderSessionID:
		return "ce-sessionId"
	case HeaderContentType:
		return canonical
	}
	return strings.ToLower(canonical)
}

// First returns the first value of a canonical header name, or "".
func First(h http.Header, canonical string) string {
	if v := h[canonical]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Canonical returns h itself when all its keys are canonical, as they are on
// any request that net/http read, and a canonical copy otherwise: hosts that
// hand headers over as plain maps keep the spelling of the wire. Spellings of
// one name are merged in the order of their keys.
func Canonical(h http.Header) http.Header {
	canonical := true
	for k := range h {
		if http.CanonicalHeaderKey(k) != k {
			canonical = false
			break
		}
	}
	if canonical {
		return h
	}
	keys := make([]string, 0, len(h))
	for k := range h {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	c := make(http.Header, len(h))
	for _, k := range keys {
		ck := http.CanonicalHeaderKey(k)
		c[ck] = append(c[ck], h[k]...)
	}
	return c
}

// ValidHeaderValue reports whether s can travel as the value of a response
// header as it is: visible ASCII and inner spaces. The service refuses header
// text outside ASCII, and HTTP strips outer white space.
func ValidHeaderValue(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return strings.Trim(s, " ") == s
}

// ValidToken reports whether s is an HTTP token (RFC 9110, 5.6.2), the only
// form a part of a header name may have.
func ValidToken(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return true
}
