package wire

import (
	"net/http"
	"slices"
	"strings"
)

// The values of protocolVersion.
const (
	MQTT311 = 4
	MQTT5   = 5
)

// The codes that the mappings below need by name: 1 to 5 are return codes of
// MQTT 3.1.1, the others reason codes of MQTT 5.0.
const (
	codeUnacceptableProtocolVersion = 1
	codeIdentifierRejected          = 2
	codeServerUnavailable           = 3
	codeBadUsernameOrPassword       = 4
	codeNotAuthorized               = 5

	code5UnspecifiedError           = 128
	code5UnsupportedProtocolVersion = 132
	code5ClientIdentifierNotValid   = 133
	code5BadUserNameOrPassword      = 134
	code5NotAuthorized              = 135
	code5ServerUnavailable          = 136
	code5ServerBusy                 = 137
	code5Banned                     = 138
	code5QuotaExceeded              = 151
	code5UseAnotherServer           = 156
	code5ServerMoved                = 157
	code5ConnectionRateExceeded     = 159
)

// MQTTStatus returns the HTTP status that goes with a connect code. Codes that
// the peers map to 5xx are 403 here: a typed refusal is deliberate, and the
// service would send a 5xx again up to three times. Codes that no table lists
// are 403 too, and known is false.
func MQTTStatus(code int) (status int, known bool) {
	switch code {
	case codeUnacceptableProtocolVersion, codeIdentifierRejected,
		129, 130, 131, code5UnsupportedProtocolVersion, code5ClientIdentifierNotValid, 140, 144, 149, 153, 154, 155:
		return http.StatusBadRequest, true
	case codeBadUsernameOrPassword, codeNotAuthorized, code5BadUserNameOrPassword, code5NotAuthorized:
		return http.StatusUnauthorized, true
	case codeServerUnavailable, code5UnspecifiedError, code5ServerUnavailable, code5ServerBusy,
		code5Banned, code5UseAnotherServer, code5ServerMoved:
		return http.StatusForbidden, true
	case code5QuotaExceeded, code5ConnectionRateExceeded:
		return http.StatusTooManyRequests, true
	}
	return http.StatusForbidden, false
}

// MQTTCode returns the connect code of the client's protocol version for a
// refusal that has an HTTP status only.
func MQTTCode(protocolVersion, status int) int {
	switch protocolVersion {
	case MQTT311:
		switch {
		case status == http.StatusBadRequest:
			return codeBadUsernameOrPassword
		case status == http.StatusTooManyRequests, status >= 500:
			return codeServerUnavailable
		}
		return codeNotAuthorized
	case MQTT5:
		switch {
		case status == http.StatusBadRequest:
			return code5BadUserNameOrPassword
		case status == http.StatusTooManyRequests:
			return code5ConnectionRateExceeded
		case status == http.StatusServiceUnavailable:
			return code5ServerUnavailable
		case status >= 500:
			return code5UnspecifiedError
		}
		return code5NotAuthorized
	}
	return codeUnacceptableProtocolVersion
}

// counterparts pairs the return codes of MQTT 3.1.1 with the reason codes of
// 5.0 that mean the same.
var counterparts = map[int]int{
	codeUnacceptableProtocolVersion: code5UnsupportedProtocolVersion,
	codeIdentifierRejected:          code5ClientIdentifierNotValid,
	codeServerUnavailable:           code5ServerUnavailable,
	codeBadUsernameOrPassword:       code5BadUserNameOrPassword,
	codeNotAuthorized:               code5NotAuthorized,
}

// MQTTCodeFor returns the code to send to a client of this protocol version
// for a code that may belong to the other one: a client that gets a code of
// the wrong version sees an unspecified error.
func MQTTCodeFor(protocolVersion, code int) int {
	switch {
	case protocolVersion == MQTT5 && code < code5UnspecifiedError:
		if c, ok := counterparts[code]; ok {
			return c
		}
	case protocolVersion == MQTT311 && code >= code5UnspecifiedError:
		for v311, v5 := range counterparts {
			if v5 == code {
				return v311
			}
		}
		switch code {
		case code5UnspecifiedError, code5ServerBusy, code5UseAnotherServer, code5ServerMoved:
			return codeServerUnavailable
		}
		status, _ := MQTTStatus(code)
		return MQTTCode(MQTT311, status)
	case protocolVersion != MQTT311 && protocolVersion != MQTT5:
		return codeUnacceptableProtocolVersion
	}
	return code
}

// UserProperties reads the mqtt-* headers of a user event, sorted by name:
// header names lose their case on the way and HTTP keeps no order between
// them.
func UserProperties(h http.Header) []UserProperty {
	var props []UserProperty
	for k, vs := range h {
		if name, ok := strings.CutPrefix(k, PrefixMQTT); ok && name != "" {
			for _, v := range vs {
				props = append(props, UserProperty{strings.ToLower(name), v})
			}
		}
	}
	slices.SortStableFunc(props, func(a, b UserProperty) int { return strings.Compare(a.Name, b.Name) })
	return props
}
