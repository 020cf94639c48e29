package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/coder/websocket"
)

// A client is somebody in the chat. It has one reader at a time.
type client struct {
	name string
	conn *websocket.Conn
	acks int // how many it has asked for
}

// A frame is what the service sends, as far as it matters here.
type frame struct {
	Type    string
	Event   string // of a system message
	AckID   int
	Success bool
	Error   struct{ Name, Message string }
	Data    struct{ Kind string } // all data in this chat is JSON objects
}

// enter connects a client and waits for its greeting.
func enter(ctx context.Context, page, name string) (*client, error) {
	url, err := negotiate(ctx, page)
	if err != nil {
		return nil, err
	}
	conn, _, err := websocket.Dial(ctx, url+"&name="+name, &websocket.DialOptions{
		Subprotocols: []string{"json.reliable.webpubsub.azure.v1"},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c := &client{name: name, conn: conn}
	if err := c.await(ctx, func(f frame) bool { return f.Type == "system" && f.Event == "connected" }); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *client) close() { _ = c.conn.CloseNow() }

// ask sends a request and waits until the service has done it.
func (c *client) ask(ctx context.Context, request map[string]any) error {
	c.acks++
	request["ackId"] = c.acks
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if err := c.conn.Write(ctx, websocket.MessageText, data); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	var ack frame
	err = c.await(ctx, func(f frame) bool {
		ack = f
		return f.Type == "ack" && f.AckID == c.acks
	})
	if err == nil && !ack.Success {
		err = fmt.Errorf("%s: %s was refused: %s: %s", c.name, request["type"], ack.Error.Name, ack.Error.Message)
	}
	return err
}

// await reads until the frame that is wanted.
func (c *client) await(ctx context.Context, wanted func(frame) bool) error {
	for {
		_, data, err := c.conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		var f frame
		if err := json.Unmarshal(data, &f); err != nil {
			return fmt.Errorf("%s got %.200q: %w", c.name, data, err)
		}
		if wanted(f) {
			return nil
		}
	}
}
