package upstream

import (
	"fmt"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// The protocol versions of MQTT as a CONNECT packet numbers them.
const (
	MQTTVersion311 = wire.MQTT311 // 4
	MQTTVersion5   = wire.MQTT5   // 5
)

// An MQTTUserProperty is a user property of MQTT 5.0.
type MQTTUserProperty struct {
	Name  string
	Value string
}

// An MQTTConnect is what the service tells about an MQTT CONNECT packet
// (reference-mqtt-cloud-events, "connect").
type MQTTConnect struct {
	// ProtocolVersion is [MQTTVersion311] or [MQTTVersion5].
	ProtocolVersion int
	// CleanStart is the clean start flag; for MQTT 3.1.1 the clean session flag.
	CleanStart bool
	// Username is empty when the packet has none.
	Username string
	// Password is nil when the packet has none.
	Password []byte
	// UserProperties are in the packet's order. Names may repeat.
	UserProperties []MQTTUserProperty
}

func newMQTTConnect(m *wire.MQTTConnect) *MQTTConnect {
	c := &MQTTConnect{
		ProtocolVersion: m.ProtocolVersion,
		CleanStart:      m.CleanStart,
		Password:        m.Password,
		UserProperties:  fromWireProperties(m.UserProperties),
	}
	if m.Username != nil {
		c.Username = *m.Username
	}
	return c
}

// An MQTTConnectResponse adds to the CONNACK packet of an accepted client.
type MQTTConnectResponse struct {
	// UserProperties reach clients of MQTT 5.0 only.
	UserProperties []MQTTUserProperty
}

// An MQTTDisconnect tells how an MQTT session ended.
type MQTTDisconnect struct {
	// InitiatedByClient is false when the service ended the session.
	InitiatedByClient bool
	// Packet is the DISCONNECT packet, nil when none was sent.
	Packet *MQTTDisconnectPacket
}

// An MQTTDisconnectPacket is a DISCONNECT packet.
type MQTTDisconnectPacket struct {
	// Code is the reason code; 0 for MQTT 3.1.1.
	Code MQTTCode
	// UserProperties are nil when the service sent the packet.
	UserProperties []MQTTUserProperty
}

func newMQTTDisconnect(m *wire.MQTTDisconnect) *MQTTDisconnect {
	d := &MQTTDisconnect{InitiatedByClient: m.InitiatedByClient}
	if p := m.DisconnectPacket; p != nil {
		d.Packet = &MQTTDisconnectPacket{Code: MQTTCode(p.Code), UserProperties: fromWireProperties(p.UserProperties)}
	}
	return d
}

// An MQTTCode is a return code of MQTT 3.1.1 (1 to 5) or a reason code of MQTT
// 5.0 (0 and from 4 or 128 on). The ranges of the refusals do not overlap.
type MQTTCode int

// The return codes that refuse a client of MQTT 3.1.1.
const (
	MQTT311UnacceptableProtocolVersion MQTTCode = 1
	MQTT311IdentifierRejected          MQTTCode = 2
	MQTT311ServerUnavailable           MQTTCode = 3
	MQTT311BadUsernameOrPassword       MQTTCode = 4
	MQTT311NotAuthorized               MQTTCode = 5
)

// The reason codes of MQTT 5.0: those that refuse a client, and those that a
// DISCONNECT packet gives.
const (
	MQTT5NormalDisconnection                 MQTTCode = 0
	MQTT5DisconnectWithWillMessage           MQTTCode = 4
	MQTT5UnspecifiedError                    MQTTCode = 128
	MQTT5MalformedPacket                     MQTTCode = 129
	MQTT5ProtocolError                       MQTTCode = 130
	MQTT5ImplementationSpecificError         MQTTCode = 131
	MQTT5UnsupportedProtocolVersion          MQTTCode = 132
	MQTT5ClientIdentifierNotValid            MQTTCode = 133
	MQTT5BadUserNameOrPassword               MQTTCode = 134
	MQTT5NotAuthorized                       MQTTCode = 135
	MQTT5ServerUnavailable                   MQTTCode = 136
	MQTT5ServerBusy                          MQTTCode = 137
	MQTT5Banned                              MQTTCode = 138
	MQTT5ServerShuttingDown                  MQTTCode = 139
	MQTT5BadAuthenticationMethod             MQTTCode = 140
	MQTT5KeepAliveTimeout                    MQTTCode = 141
	MQTT5SessionTakenOver                    MQTTCode = 142
	MQTT5TopicFilterInvalid                  MQTTCode = 143
	MQTT5TopicNameInvalid                    MQTTCode = 144
	MQTT5ReceiveMaximumExceeded              MQTTCode = 147
	MQTT5TopicAliasInvalid                   MQTTCode = 148
	MQTT5PacketTooLarge                      MQTTCode = 149
	MQTT5MessageRateTooHigh                  MQTTCode = 150
	MQTT5QuotaExceeded                       MQTTCode = 151
	MQTT5AdministrativeAction                MQTTCode = 152
	MQTT5PayloadFormatInvalid                MQTTCode = 153
	MQTT5RetainNotSupported                  MQTTCode = 154
	MQTT5QoSNotSupported                     MQTTCode = 155
	MQTT5UseAnotherServer                    MQTTCode = 156
	MQTT5ServerMoved                         MQTTCode = 157
	MQTT5SharedSubscriptionsNotSupported     MQTTCode = 158
	MQTT5ConnectionRateExceeded              MQTTCode = 159
	MQTT5MaximumConnectTime                  MQTTCode = 160
	MQTT5SubscriptionIdentifiersNotSupported MQTTCode = 161
	MQTT5WildcardSubscriptionsNotSupported   MQTTCode = 162
)

// An MQTTConnectError refuses an MQTT client with a code of its own protocol.
// Return it from a connect handler; where a plain HTTP status says enough,
// [NewError] does too and works for every client.
//
// A code of the other protocol version is replaced by the one that means the
// same to the client, so a handler need not look at the version. A client that
// does not speak MQTT is refused with the code's HTTP status and the reason.
//
// The HTTP status is always of the 4xx family, because the service sends a
// request that failed with 5xx again. To ask for that, return
// NewError(http.StatusServiceUnavailable, …) instead.
type MQTTConnectError struct {
	// Code is the return or reason code of the CONNACK packet.
	Code MQTTCode
	// Reason is text for the client. MQTT 3.1.1 cannot carry it.
	Reason string
	// UserProperties are for the client. MQTT 3.1.1 cannot carry them.
	UserProperties []MQTTUserProperty
}

// NewMQTTConnectError returns an error that refuses an MQTT client.
func NewMQTTConnectError(code MQTTCode, reason string) *MQTTConnectError {
	return &MQTTConnectError{Code: code, Reason: reason}
}

func (e *MQTTConnectError) Error() string {
	return fmt.Sprintf("upstream: MQTT connect refused with code %d: %s", e.Code, e.Reason)
}

// StatusCode returns the HTTP status that goes with the code.
func (e *MQTTConnectError) StatusCode() int {
	status, _ := wire.MQTTStatus(int(e.Code))
	return status
}

// mqttFailure is the answer that refuses an MQTT connect for any error. Only
// authored errors give a reason.
func mqttFailure(version, status int, authored error) *answer {
	packet := wire.MQTTFailure{Code: wire.MQTTCode(version, status)}
	switch err := authored.(type) {
	case *MQTTConnectError:
		packet.Code = wire.MQTTCodeFor(version, int(err.Code))
		packet.Reason = err.Reason
		packet.UserProperties = toWireProperties(err.UserProperties)
	case *Error:
		packet.Reason = err.message
	}
	a := newAnswer(status)
	a.add(wire.HeaderContentType, wire.MediaJSON)
	a.body, _ = wire.Marshal(wire.MQTTConnectFailure{MQTT: packet}) // numbers and strings always encode
	return a
}

func fromWireProperties(ps []wire.UserProperty) []MQTTUserProperty {
	if ps == nil {
		return nil
	}
	converted := make([]MQTTUserProperty, len(ps))
	for i, p := range ps {
		converted[i] = MQTTUserProperty(p)
	}
	return converted
}

func toWireProperties(ps []MQTTUserProperty) []wire.UserProperty {
	converted := make([]wire.UserProperty, 0, len(ps))
	for _, p := range ps {
		converted = append(converted, wire.UserProperty(p))
	}
	return converted
}
