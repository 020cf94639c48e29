package emulatortest

import (
	"context"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// An inbox is what has arrived on one WebSocket and was not received yet.
type inbox struct {
	arrived chan struct{} // has an element after each change of frames
	mu      sync.Mutex    // guards frames
	frames  []frame
}

// A frame is one message, or the error with which the WebSocket ended.
type frame struct {
	binary  bool
	payload []byte
	err     error
}

// readAll returns an inbox that fills until the WebSocket ends.
func readAll(ws *websocket.Conn) *inbox {
	in := &inbox{arrived: make(chan struct{}, 1)}
	go func() {
		for {
			kind, payload, err := ws.Read(context.Background())
			in.put(frame{kind == websocket.MessageBinary, payload, err})
			if err != nil {
				return
			}
		}
	}()
	return in
}

func (in *inbox) put(f frame) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.frames = append(in.frames, f)
	select {
	case in.arrived <- struct{}{}:
	default:
	}
}

// next waits for a frame. It reports false when none has arrived in time.
func (in *inbox) next(patience time.Duration) (f frame, ok bool) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		if f, ok := in.take(); ok {
			return f, true
		}
		select {
		case <-in.arrived:
		case <-late.C:
			return in.take()
		}
	}
}

// take takes a frame that has arrived.
func (in *inbox) take() (f frame, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.frames) == 0 {
		return frame{}, false
	}
	f, in.frames = in.frames[0], in.frames[1:]
	return f, true
}
