package emulator

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
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
	life   context.Context // of the server: its end ends closing handshakes
	gone   chan struct{}   // closed when the session has no more use for it

	// of the reading goroutine and of the keeper
	keeper   *time.Timer   // sends the next ping; nil without keep-alive
	reading  atomic.Bool   // whether a pong would be noticed at the moment
	progress atomic.Uint32 // changes whenever the reading goroutine does something

	fault atomic.Pointer[ending] // why the service gave the connection up

	mu      sync.Mutex // guards the fields below
	queue   []protocol.Frame
	frames  int     // in queue, and being written
	bytes   int     // of these frames
	writing bool    // whether the writing goroutine lives
	end     *ending // set once nothing more is to be queued
}

// read returns the next frame. Only the session's read loop calls it.
func (c *conn) read() (protocol.Frame, error) {
	c.progress.Add(1)
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
	if c.frames >= c.limits.QueuedMessages || c.bytes+len(f.Payload) > c.limits.QueuedBytes {
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
	c.frames++
	c.bytes += len(f.Payload)
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
	close(c.gone)
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
		close(c.gone)
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
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.fault.Store(&endStalled)
			}
			c.abort()
		}
	}
}

// maxBatch is how many frames are written before others can be noticed as
// written.
const maxBatch = 64

// next takes a batch of what is queued. With nothing queued the loop ends, and
// done says whether the connection ends with it.
func (c *conn) next() (batch []protocol.Frame, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		c.writing = false
		c.queue = nil
		return nil, c.end != nil && !c.end.now
	}
	n := min(len(c.queue), maxBatch)
	batch, c.queue = c.queue[:n:n], c.queue[n:]
	return batch, false
}

func (c *conn) writeBatch(batch []protocol.Frame) error {
	c.socket.startBatch()
	size := 0
	var failed error
	for i, f := range batch {
		kind := websocket.MessageText
		if f.Binary {
			kind = websocket.MessageBinary
		}
		if failed = c.ws.Write(context.Background(), kind, f.Payload); failed != nil {
			break
		}
		size += len(f.Payload)
		batch[i] = protocol.Frame{} // the queue's array may live on
	}
	if err := c.socket.endBatch(); failed == nil {
		failed = err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames -= len(batch)
	c.bytes -= size
	return failed
}

// finish shakes hands with the client, for a few seconds at most.
func (c *conn) finish() {
	stop := context.AfterFunc(c.life, func() { _ = c.socket.Close() })
	defer stop()
	if c.end.code == 0 {
		_ = c.ws.CloseNow()
		return
	}
	_ = c.ws.Close(c.end.code, c.end.text)
}

// keepAlive sends a ping every interval until the connection is closed. It
// aborts a connection on which nothing arrives for another interval, although
// somebody is reading. While frames are being written, which the ping may have
// to wait for, that is left to the time limit for writing.
func (c *conn) keepAlive(interval time.Duration) {
	if interval <= 0 {
		return
	}
	c.keeper = time.AfterFunc(math.MaxInt64, func() {
		before := c.progress.Load()
		ctx, cancel := context.WithTimeout(context.Background(), interval)
		defer cancel()
		err := c.ws.Ping(ctx)
		busy := !c.reading.Load() || c.progress.Load() != before || c.isWriting()
		if err != nil && !(errors.Is(err, context.DeadlineExceeded) && busy) {
			c.fault.Store(&endSilent)
			c.abort()
			return
		}
		c.keeper.Reset(interval)
	})
	c.keeper.Reset(interval)
}

func (c *conn) isWriting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writing
}

// dismiss closes a WebSocket that belongs to no session.
func (c *conn) dismiss(e ending) {
	c.close(e)
	c.drain()
	c.release()
}

// drain reads to the end of the connection: the client's half of the closing
// handshake has to be read by somebody.
func (c *conn) drain() {
	for {
		if _, err := c.read(); err != nil {
			return
		}
	}
}

// release frees what the connection holds, once nobody reads from it any more.
func (c *conn) release() {
	if c.keeper != nil {
		c.keeper.Stop()
	}
	c.abort()
	_ = c.ws.CloseNow()
}
