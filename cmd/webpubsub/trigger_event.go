package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/trigger"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// eventValidate is the name under which the handshake alone can be asked for.
const eventValidate = wire.EventValidate

// maxDataBytes is the longest message that the service takes from a client.
const maxDataBytes = 1 << 20

// eventType returns the ce-type of what was typed for EVENT.
func eventType(event string) (string, error) {
	switch event {
	case "connect", eventValidate:
		return wire.TypeConnect, nil
	case "connected":
		return wire.TypeConnected, nil
	case "disconnected":
		return wire.TypeDisconnected, nil
	case "joined":
		return wire.TypeGroupJoined, nil
	case "left":
		return wire.TypeGroupLeft, nil
	}
	if kind, name := wire.ParseType(event); kind != wire.KindForeign && name != "" {
		return event, nil
	}
	if !wire.ValidEventName(event) {
		return "", &usageError{
			text: "not the name of an event: expected a letter, then up to 127 letters, digits and any of _.-",
			hint: "there are connect, connected, disconnected, joined, left, validate, and the names of user events such as message",
		}
	}
	return wire.UserType(event), nil
}

// event makes an event of the flags.
func (a *app) event(flags *pflag.FlagSet, name string, t *triggerFlags) (*trigger.Event, error) {
	typ, err := eventType(name)
	if err != nil {
		return nil, err
	}
	e := &trigger.Event{
		URLTemplate: t.to, Type: typ, Hub: t.hub, UserID: t.user, ID: t.eventID, Time: time.Now(),
		Subprotocol: t.subprotocol, Keys: t.keys, Origins: t.origins,
	}
	if err := checkTo(t.to); err != nil {
		return nil, err
	}
	if t.timeout <= 0 {
		return nil, usagef("--timeout: expected a time to wait, such as 30s")
	}
	if flags.Changed("state") {
		e.State = &t.state
	}
	for _, step := range []func() error{
		func() error { return checkApplies(flags, e.Kind(), t) },
		func() error { return a.signs(e, t) },
		func() error { return setClient(e, t) },
		func() error { return a.setBody(flags, e, t) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if err := e.Check(); err != nil {
		return nil, usagef("%v", err)
	}
	return e, nil
}

func checkTo(to string) error {
	switch {
	case to == "":
		return &usageError{text: "--to is missing: the URL of the handler", hint: "such as: --to http://localhost:3000/eventhandler"}
	case !strings.Contains(to, "://"):
		return &usageError{text: "--to is no URL: it has no scheme", hint: "did you forget http:// in front of it?"}
	}
	return nil
}

// checkApplies refuses flags that say nothing about such an event, so that
// nobody waits for their effect.
func checkApplies(flags *pflag.FlagSet, kind wire.Kind, t *triggerFlags) error {
	only := func(names []string, what string, ok bool) error {
		for _, name := range names {
			if flags.Changed(name) && !ok {
				return usagef("--%s is for %s", name, what)
			}
		}
		return nil
	}
	mqtt := t.mqttVersion != ""
	group := kind == wire.KindGroupJoined || kind == wire.KindGroupLeft
	return errors.Join(
		only([]string{"header", "query", "claim", "offer"}, "the event connect", kind == wire.KindConnect),
		only([]string{"reason"}, "the event disconnected", kind == wire.KindDisconnected),
		only([]string{"group"}, "the events joined and left", group),
		only([]string{"type"}, "user events", kind == wire.KindUser),
		only([]string{"metadata"}, "user events of clients that do not speak MQTT", kind == wire.KindUser && !mqtt),
		only([]string{"mqtt-username", "mqtt-password"}, "the event connect with --mqtt-version", kind == wire.KindConnect && mqtt),
		only([]string{"user-property"}, "connect and user events with --mqtt-version 5", kind.Blocking() && strings.HasPrefix(t.mqttVersion, "5")),
		only([]string{"session-id", "physical-connection-id"}, "clients with --mqtt-version", mqtt),
		only([]string{"subprotocol"}, "all events but connect, which has --offer", kind != wire.KindConnect),
		only([]string{"subprotocol"}, "clients without --mqtt-version", !mqtt),
		only([]string{"key"}, "signed events, not for --unsigned", !t.unsigned),
	)
}

// signs sets the keys and the hosts, by default those of the connection string.
func (a *app) signs(e *trigger.Event, t *triggerFlags) error {
	if slices.Contains(t.keys, "") {
		return usagef("--key is empty")
	}
	service, err := a.connection("")
	if err != nil {
		return err
	}
	if len(e.Origins) == 0 {
		e.Origins = []string{service.Host}
	}
	for _, origin := range e.Origins {
		if wire.OriginHost(origin) == "" {
			return usagef("--origin: %.100q is no host, such as demo.webpubsub.azure.com", origin)
		}
	}
	switch {
	case t.unsigned:
		e.Keys = nil
	case len(e.Keys) == 0:
		e.Keys = []string{service.AccessKey}
	}
	return nil
}

// setClient says which client and which connection it is.
func setClient(e *trigger.Event, t *triggerFlags) error {
	switch t.mqttVersion {
	case "":
	case "3.1.1":
		e.MQTTVersion = wire.MQTT311
	case "5", "5.0":
		e.MQTTVersion = wire.MQTT5
	default:
		return usagef("--mqtt-version is %.20q, expected 3.1.1 or 5", t.mqttVersion)
	}
	e.ConnectionID = cmp.Or(t.connectionID, trigger.NewID())
	if e.MQTTVersion != 0 {
		e.Subprotocol = wire.SubprotocolMQTT
		e.PhysicalConnectionID = cmp.Or(t.physicalID, trigger.NewID())
		e.SessionID = cmp.Or(t.sessionID, trigger.NewID())
		if !regexp.MustCompile(`^[0-9A-Za-z]{1,128}$`).MatchString(e.ConnectionID) {
			return usagef("--connection-id is the client id of an MQTT client: expected 1 to 128 letters and digits")
		}
	}
	if e.ID == "" {
		e.ID = eventID(e.Kind(), t.connectionID)
	}
	return nil
}

// eventID numbers events as the service does. Those of a connection that was
// used before get a new number each time: a handler may take the same number
// for the same event, sent again.
func eventID(kind wire.Kind, connectionID string) string {
	switch {
	case kind == wire.KindConnect:
		return "0"
	case connectionID == "":
		return "1"
	}
	return strconv.FormatInt(time.Now().UnixMilli(), 10)
}

// setBody makes the body of the event.
func (a *app) setBody(flags *pflag.FlagSet, e *trigger.Event, t *triggerFlags) error {
	var data []byte
	if flags.Changed("data") {
		var err error
		if data, err = a.readData(t.data); err != nil {
			return err
		}
	}
	if e.Kind() == wire.KindUser {
		return setMessage(e, t, data)
	}
	e.ContentType = wire.ContentTypeJSON
	if e.Body = data; data != nil {
		for _, name := range []string{"header", "query", "claim", "offer", "reason", "group", "mqtt-username", "mqtt-password", "user-property"} {
			if flags.Changed(name) {
				return usagef("--data is the whole body of this event: leave out --%s", name)
			}
		}
		return nil
	}
	body, err := systemBody(e, t)
	if err != nil {
		return err
	}
	e.Body, err = wire.Marshal(body)
	return err
}

// readData returns what --data stands for.
func (a *app) readData(data string) ([]byte, error) {
	from := strings.NewReader(data)
	source := io.Reader(from)
	if data == "-" {
		source = a.stdin
	} else if name, ok := strings.CutPrefix(data, "@"); ok {
		file, err := os.Open(name)
		if err != nil {
			return nil, &failure{err: err, hint: "a text that begins with @ can come from standard input: --data -"}
		}
		defer file.Close()
		source = file
	}
	content, err := io.ReadAll(io.LimitReader(source, maxDataBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(content) > maxDataBytes:
		return nil, usagef("--data has more than 1 MB, which no client can send")
	}
	return content, nil
}

// setMessage sets what a client sends, and the subprotocol that it needs for
// that.
func setMessage(e *trigger.Event, t *triggerFlags, data []byte) error {
	e.Body = data
	var err error
	if e.Metadata, err = properties("metadata", t.metadata); err != nil {
		return err
	}
	if e.UserProperties, err = properties("user-property", t.userProperties); err != nil {
		return err
	}
	e.ContentType = contentType(t.dataType, e.MQTTVersion != 0)
	kind := wire.DataType(e.ContentType)
	switch {
	case kind == wire.DataOther && e.MQTTVersion == 0:
		return usagef("--type is %.100q: expected text, json, binary or protobuf; other types are for MQTT clients", t.dataType)
	case kind == wire.DataText && !utf8.Valid(data):
		return &usageError{text: "--data is not valid UTF-8, and no client can send it as text", hint: "--type binary sends anything"}
	case kind == wire.DataJSON && !json.Valid(data):
		return usagef("--data is not valid JSON, and no client can send it as JSON")
	}
	switch {
	case e.Subprotocol == "none":
		e.Subprotocol = ""
	case e.Subprotocol != "":
	case kind == wire.DataProtobuf:
		e.Subprotocol = wire.SubprotocolProtobuf
	case e.Name() != "message" || kind == wire.DataJSON || len(e.Metadata) > 0:
		e.Subprotocol = wire.SubprotocolJSON // a simple client cannot send it
	}
	return nil
}

func contentType(dataType string, mqtt bool) string {
	switch dataType {
	case "":
		if mqtt {
			return ""
		}
		return wire.ContentTypeText
	case wire.DataText:
		return wire.ContentTypeText
	case wire.DataJSON:
		return wire.MediaJSON
	case wire.DataBinary:
		return wire.MediaBinary
	case wire.DataProtobuf:
		return wire.MediaProtobuf
	}
	return dataType
}

// systemBody returns the body of an event that is not the user's.
func systemBody(e *trigger.Event, t *triggerFlags) (any, error) {
	switch e.Kind() {
	case wire.KindConnect:
		return connectBody(e, t)
	case wire.KindDisconnected:
		body := wire.DisconnectedBody{}
		if t.reason != "" {
			body.Reason = &t.reason
		}
		if e.MQTTVersion != 0 {
			body.MQTT = &wire.MQTTDisconnect{}
		}
		return body, nil
	case wire.KindGroupJoined, wire.KindGroupLeft:
		if !wire.ValidGroup(t.group) {
			return nil, usagef("--group: expected 1 to 1024 characters, not only white space")
		}
		return wire.GroupBody{Group: t.group}, nil
	}
	return struct{}{}, nil
}

func connectBody(e *trigger.Event, t *triggerFlags) (*wire.ConnectBody, error) {
	body := &wire.ConnectBody{Subprotocols: append([]string{}, t.offers...), ClientCertificates: []wire.ClientCertificate{}}
	for _, list := range []struct {
		flag   string
		values []string
		into   *wire.Lists
	}{
		{"claim", t.claims, &body.Claims}, {"query", t.query, &body.Query}, {"header", t.headers, &body.Headers},
	} {
		*list.into = wire.Lists{}
		pairs, err := properties(list.flag, list.values)
		if err != nil {
			return nil, err
		}
		for _, p := range pairs {
			(*list.into)[p.Name] = append((*list.into)[p.Name], p.Value)
		}
	}
	if e.UserID != "" && body.Claims["sub"] == nil {
		body.Claims["sub"] = []string{e.UserID}
	}
	if e.MQTTVersion == 0 {
		return body, nil
	}
	if len(t.offers) == 0 {
		body.Subprotocols = []string{wire.SubprotocolMQTT}
	}
	body.MQTT = &wire.MQTTConnect{ProtocolVersion: e.MQTTVersion, CleanStart: true}
	if t.mqttUsername != "" {
		body.MQTT.Username = &t.mqttUsername
	}
	if t.mqttPassword != "" {
		body.MQTT.Password = []byte(t.mqttPassword)
	}
	var err error
	body.MQTT.UserProperties, err = properties("user-property", t.userProperties)
	return body, err
}

// properties reads name=value pairs. The error shows no value.
func properties(flag string, pairs []string) ([]wire.UserProperty, error) {
	var read []wire.UserProperty
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, usagef("--%s: expected name=value", flag)
		}
		read = append(read, wire.UserProperty{Name: name, Value: value})
	}
	return read, nil
}
