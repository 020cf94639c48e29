package emulator

import (
	"bytes"
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
)

// A conn is one WebSocket: what a session has while its client is there. One
// goroutine reads from it. Frames to write are queued, and a goroutine that
// lives only while there are any writes them, so that an idle connection costs
// one goroutine.
type conn struct {
	// static after construction
	ws     *websocket.Conn
	socket *socket
	limits Limits
	tasks  *tasks

	reading atomic.Bool // whether pongs are noticed at the moment
	keeper  *time.Timer // sends the next ping; nil without keep-alive

	mu      sync.Mutex // guards the fields below
	queue   []protocol.Frame
	pending int     // bytes in queue and in the batch that is being written
	writing bool    // whether the writing goroutine lives
	end     *ending // set once nothing more is to be queued
}

// read returns the next frame. Only the session's read loop calls it.
func (c *conn) read() (protocol.Frame, error) {
	c.reading.Store(true)
	defer c.reading.Store(false)
	kind, r, err := c.ws.Reader(context.Background())
	if err != nil {
		return protocol.Frame{}, err
	}
	buffer := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buffer.Cap() <= batchBuffer {
			buffer.Reset()
			buffers.Put(buffer)
		}
	}()
	if _, err := buffer.ReadFrom(r); err != nil {
		return protocol.Frame{}, err
	}
	return protocol.Frame{Binary: kind == websocket.MessageBinary, Payload: bytes.Clone(buffer.Bytes())}, nil
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// send queues a frame and never blocks. It reports false when the client has
// not read what was sent to it for too long.
func (c *conn) send(f protocol.Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end != nil {
		return true
	}
	if len(c.queue) >= c.limits.QueuedMessages || c.pending+len(f.Payload) > c.limits.QueuedBytes {
		return false
	}
	c.push(f)
	return true
}

// replay queues frames whose number was limited when they were sent first.
func (c *conn) replay(frames ...protocol.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range frames {
		c.push(f)
	}
}

// push queues a frame. c.mu is held.
func (c *conn) push(f protocol.Frame) {
	c.queue = append(c.queue, f)
	c.pending += len(f.Payload)
	c.write()
}

// write has the queue written. c.mu is held.
func (c *conn) write() {
	if !c.writing {
		c.writing = true
		c.tasks.start(c.writeLoop)
	}
}

// close ends the WebSocket as e says, after what is queued has been written,
// or at once when e says that the client does not read. It does not wait.
func (c *conn) close(e ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end != nil {
		return
	}
	c.end = &e
	if !e.now {
		c.write()
		return
	}
	c.queue = nil
	c.tasks.start(c.finish)
}

// abort ends the network connection. It does not wait.
func (c *conn) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil {
		c.end = &ending{}
	}
	c.queue = nil
	_ = c.socket.Close()
}

func (c *conn) writeLoop() {
	for {
		batch, done := c.next()
		if len(batch) == 0 {
			if done {
				c.finish()
			}
			return
		}
		if err := c.writeBatch(batch); err != nil {
			c.abort()
		}
	}
}

// next takes what is queued. With nothing queued the loop ends, and done says
// whether the connection ends with it.
func (c *conn) next() (batch []protocol.Frame, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	batch, c.queue = c.queue, nil
	if len(batch) == 0 {
		c.writing = false
		done = c.end != nil && !c.end.now
	}
	return batch, done
}

func (c *conn) writeBatch(batch []protocol.Frame) error {
	_ = c.socket.SetWriteDeadline(time.Now().Add(c.limits.WriteTimeout))
	defer func() { _ = c.socket.SetWriteDeadline(time.Time{}) }() // pings follow at any time
	c.socket.startBatch()
	size := 0
	var failed error
	for _, f := range batch {
		kind := websocket.MessageText
		if f.Binary {
			kind = websocket.MessageBinary
		}
		if failed = c.ws.Write(context.Background(), kind, f.Payload); failed != nil {
			break
		}
		size += len(f.Payload)
	}
	if err := c.socket.endBatch(); failed == nil {
		failed = err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending -= size
	return failed
}

// finish shakes hands with the client, for a few seconds at most.
func (c *conn) finish() {
	_ = c.socket.SetWriteDeadline(time.Now().Add(c.limits.WriteTimeout))
	if c.end.code == 0 {
		_ = c.ws.CloseNow()
		return
	}
	_ = c.ws.Close(c.end.code, c.end.text)
}

// keepAlive sends a ping every interval until the connection is closed, and
// aborts it when the pong does not come within another.
func (c *conn) keepAlive(interval time.Duration) {
	if interval <= 0 {
		return
	}
	c.keeper = time.AfterFunc(math.MaxInt64, func() {
		ctx, cancel := context.WithTimeout(context.Background(), interval)
		defer cancel()
		err := c.ws.Ping(ctx)
		if err == nil || errors.Is(err, context.DeadlineExceeded) && !c.reading.Load() {
			c.keeper.Reset(interval)
			return
		}
		c.abort()
	})
	c.keeper.Reset(interval)
}

// stop ends what keepAlive began.
func (c *conn) stop() {
	if c.keeper != nil {
		c.keeper.Stop()
	}
}
