package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/trigger"
)

// triggerFlags are the flags of webpubsub trigger, as they were typed.
type triggerFlags struct {
	to      string
	timeout time.Duration

	hub, user, connectionID string
	eventID                 string
	state                   string
	subprotocol             string
	keys, origins           []string
	unsigned, noHandshake   bool

	data, dataType string
	metadata       []string

	headers, query, claims, offers []string // of connect
	reason                         string   // of disconnected
	group                          string   // of joined and left

	mqttVersion                string
	mqttUsername, mqttPassword string
	userProperties             []string
	sessionID, physicalID      string
}

func (a *app) triggerCommand() *cobra.Command {
	var t triggerFlags
	c := &cobra.Command{
		Use:   "trigger EVENT --to URL",
		Short: "Send one event to a handler",
		Long:  helpText("trigger"),
		Args:  oneEvent,
		RunE: func(c *cobra.Command, args []string) error {
			return a.trigger(c, args[0], &t)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&t.to, "to", "", "URL of the handler")
	f.StringVar(&t.hub, "hub", defaultHub, "hub of the client")
	f.StringVar(&t.user, "user", "", "user id of the client")
	f.StringVar(&t.connectionID, "connection-id", "", "connection id, for MQTT the client id")
	f.StringVar(&t.eventID, "event-id", "", "number of the event")
	f.StringVar(&t.state, "state", "", "connection state")
	f.StringVar(&t.subprotocol, "subprotocol", "", "subprotocol that the client speaks")
	f.StringArrayVar(&t.keys, "key", nil, "access key that signs")
	f.StringArrayVar(&t.origins, "origin", nil, "host of the service")
	f.BoolVar(&t.unsigned, "unsigned", false, "leave the signature out")
	f.BoolVar(&t.noHandshake, "no-handshake", false, "do not ask for consent")
	f.DurationVar(&t.timeout, "timeout", 100*time.Second, "time for the answer")

	f.StringVar(&t.data, "data", "", "payload: text, @file or -")
	f.StringVar(&t.dataType, "type", "", "text, json, binary, protobuf or a media type")
	f.StringArrayVar(&t.metadata, "metadata", nil, "metadata of the message")

	f.StringArrayVar(&t.headers, "header", nil, "header of the client")
	f.StringArrayVar(&t.query, "query", nil, "query parameter of the client")
	f.StringArrayVar(&t.claims, "claim", nil, "claim of the client's token")
	f.StringArrayVar(&t.offers, "offer", nil, "subprotocol that the client offers")
	f.StringVar(&t.reason, "reason", "", "why the connection ended")
	f.StringVar(&t.group, "group", "", "group that was joined or left")

	f.StringVar(&t.mqttVersion, "mqtt-version", "", "3.1.1 or 5, for an MQTT client")
	f.StringVar(&t.mqttUsername, "mqtt-username", "", "user name in CONNECT")
	f.StringVar(&t.mqttPassword, "mqtt-password", "", "password in CONNECT")
	f.StringArrayVar(&t.userProperties, "user-property", nil, "user property of MQTT 5")
	f.StringVar(&t.sessionID, "session-id", "", "session of the MQTT client")
	f.StringVar(&t.physicalID, "physical-connection-id", "", "network connection of the MQTT client")
	return c
}

func oneEvent(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return &usageError{text: "no event is named", hint: "such as: webpubsub trigger connect --to http://localhost:3000/eventhandler"}
	case len(args) > 1:
		return &usageError{text: "more than one event is named; a text with spaces needs quotes around it", hint: helpHint(c)}
	}
	return nil
}

func (a *app) trigger(c *cobra.Command, event string, t *triggerFlags) error {
	e, err := a.event(c.Flags(), event, t)
	if err != nil {
		return err
	}
	ctx := c.Context()
	if !t.noHandshake {
		if done, err := a.handshake(ctx, e, event == eventValidate); done || err != nil {
			return err
		}
	}
	exchange, verdict := e.Send(ctx, t.timeout)
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	return a.printExchange(stepEvent, exchange, &verdict)
}

// handshake reports whether there is nothing to do after it.
func (a *app) handshake(ctx context.Context, e *trigger.Event, only bool) (done bool, err error) {
	asked, verdict := e.Handshake(ctx)
	if ctx.Err() != nil {
		return true, interrupted(ctx)
	}
	for _, exchange := range asked[:len(asked)-1] {
		if err := a.printExchange(stepHandshake, exchange, nil); err != nil {
			return true, err
		}
	}
	if !verdict.OK && !only {
		verdict.Notes = append(verdict.Notes, "the event was not sent; --no-handshake sends it all the same")
	}
	err = a.printExchange(stepHandshake, asked[len(asked)-1], &verdict)
	return only || !verdict.OK, err
}

func interrupted(ctx context.Context) error {
	return &failure{err: context.Cause(ctx)}
}
