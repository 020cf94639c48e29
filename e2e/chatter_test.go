package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// A chatter is a client without a page: it is in one room, writes now and then,
// and writes down what it gets.
type chatter struct {
	name, room string
	conn       *websocket.Conn

	mu           sync.Mutex
	heard        []saying
	lastSequence uint64
	lastAck      uint64
	acks         map[uint64]chan error
	failed       error // why reading has ended
}

// A saying is a message in a room.
type saying struct {
	Number int    `json:"number"`
	ID     string `json:"id"`
	Name   string `json:"name"`
	Text   string `json:"text"`
}

// A frame is what the service sends, as far as a chatter looks at it.
type frame struct {
	Type       string `json:"type"`
	SequenceID uint64 `json:"sequenceId"`
	AckID      uint64 `json:"ackId"`
	Success    bool   `json:"success"`
	Error      *struct{ Name, Message string }
	Data       json.RawMessage `json:"data"`
}

// acknowledgeAfter is after how many messages a chatter says that it has them.
const acknowledgeAfter = 20

// newChatter connects and joins a room.
func newChatter(ctx context.Context, d *demo, name, room string) (*chatter, error) {
	res, err := http.Post(d.Page+"negotiate", "", nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	var access struct{ URL string }
	if err := json.NewDecoder(res.Body).Decode(&access); err != nil {
		return nil, fmt.Errorf("negotiate answered %s: %w", res.Status, err)
	}
	c := &chatter{name: name, room: room, acks: map[uint64]chan error{}}
	c.conn, _, err = websocket.Dial(ctx, access.URL+"&name="+url.QueryEscape(name), &websocket.DialOptions{
		Subprotocols: []string{"json.reliable.webpubsub.azure.v1"},
	})
	if err != nil {
		return nil, err
	}
	c.conn.SetReadLimit(1 << 20)
	go c.read(context.WithoutCancel(ctx)) // ends with the connection
	if err := c.request(ctx, map[string]any{"type": "joinGroup", "group": room}); err != nil {
		return nil, fmt.Errorf("%s joins %s: %w", name, room, err)
	}
	return c, nil
}

// chat writes about every pause until the context ends, and returns the ids of
// what it said and how long each took until the service confirmed it.
func (c *chatter) chat(ctx context.Context, pause time.Duration) (ids []string, took []time.Duration, err error) {
	wait := time.NewTimer(rand.N(pause))
	defer wait.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return ids, took, nil
		case <-wait.C:
			wait.Reset(pause*3/4 + rand.N(pause/2))
		}
		id := fmt.Sprintf("%s-%d", c.name, n)
		start := time.Now()
		// What was begun is finished.
		if err := c.request(context.WithoutCancel(ctx), map[string]any{
			"type": "event", "event": "say", "dataType": "json",
			"data": map[string]any{"room": c.room, "id": id, "text": fmt.Sprintf("%s says for the %d. time that all is well", c.name, n)},
		}); err != nil {
			return ids, took, fmt.Errorf("%s says %s: %w", c.name, id, err)
		}
		ids, took = append(ids, id), append(took, time.Since(start))
	}
}

// request sends a request and waits for its ack.
func (c *chatter) request(ctx context.Context, request map[string]any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ack := make(chan error, 1)
	c.mu.Lock()
	c.lastAck++
	request["ackId"] = c.lastAck
	c.acks[c.lastAck] = ack
	c.mu.Unlock()
	if err := wsjson.Write(ctx, c.conn, request); err != nil {
		return err
	}
	select {
	case err := <-ack:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read takes what the service sends until the connection ends.
func (c *chatter) read(ctx context.Context) {
	for {
		var f frame
		if err := wsjson.Read(ctx, c.conn, &f); err != nil {
			c.end(err)
			return
		}
		switch f.Type {
		case "ack":
			c.acknowledged(f)
		case "message":
			if err := c.hear(ctx, f); err != nil {
				c.end(err)
				return
			}
		}
	}
}

func (c *chatter) acknowledged(f frame) {
	c.mu.Lock()
	ack := c.acks[f.AckID]
	delete(c.acks, f.AckID)
	c.mu.Unlock()
	var err error
	if !f.Success {
		err = fmt.Errorf("refused: %+v", f.Error)
	}
	if ack != nil {
		ack <- err
	}
}

// hear writes down a message. The connection is never cut, so each number of
// the service follows the one before.
func (c *chatter) hear(ctx context.Context, f frame) error {
	var what struct {
		Kind, Room string
		saying
	}
	if err := json.Unmarshal(f.Data, &what); err != nil {
		return fmt.Errorf("%s got %s: %w", c.name, f.Data, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.SequenceID != c.lastSequence+1 {
		return fmt.Errorf("%s got the message %d after %d", c.name, f.SequenceID, c.lastSequence)
	}
	c.lastSequence = f.SequenceID
	if what.Kind == "message" {
		if what.Room != c.room {
			return fmt.Errorf("%s is in %s and hears what is said in %s", c.name, c.room, what.Room)
		}
		c.heard = append(c.heard, what.saying)
	}
	if f.SequenceID%acknowledgeAfter != 0 {
		return nil
	}
	return wsjson.Write(ctx, c.conn, map[string]any{"type": "sequenceAck", "sequenceId": f.SequenceID})
}

// end keeps why reading has ended, and tells those who wait.
func (c *chatter) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = err
	for _, ack := range c.acks {
		ack <- err
	}
}

// hearing returns what the chatter has heard, and an error when it hears no
// more.
func (c *chatter) hearing() ([]saying, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard, c.failed
}

// leave closes the connection.
func (c *chatter) leave() error {
	err := c.conn.Close(websocket.StatusNormalClosure, "")
	if closed, ok := errors.AsType[websocket.CloseError](err); ok && closed.Code == websocket.StatusNormalClosure {
		return nil
	}
	return err
}
