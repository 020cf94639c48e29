package emulator

import (
	"slices"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
)

// unacked is what a client of a reliable protocol was sent and has not
// acknowledged: numbered data messages in order (client protocol
// specification, 1.4).
type unacked struct {
	messages []numbered
	bytes    int
	last     uint64 // the number given last; the first is 1

	maxMessages int
	maxBytes    int
}

type numbered struct {
	id      uint64
	frame   protocol.Frame
	expires time.Time // zero for never
}

// add numbers a message and keeps it. It reports false when there is no room.
func (u *unacked) add(codec protocol.Codec, frame protocol.Frame, ttl time.Duration) (protocol.Frame, bool) {
	if u.full(frame) {
		u.expire(time.Now())
		if u.full(frame) {
			return protocol.Frame{}, false
		}
	}
	u.last++
	frame = codec.Number(frame, u.last)
	m := numbered{id: u.last, frame: frame}
	if ttl > 0 {
		m.expires = time.Now().Add(ttl)
	}
	u.messages = append(u.messages, m)
	u.bytes += len(frame.Payload)
	return frame, true
}

func (u *unacked) full(frame protocol.Frame) bool {
	return len(u.messages) >= u.maxMessages || u.bytes+len(frame.Payload) > u.maxBytes
}

// ack forgets the messages up to a number. Numbers that were not given yet
// acknowledge what there is.
func (u *unacked) ack(id uint64) {
	n := 0
	for n < len(u.messages) && u.messages[n].id <= id {
		u.bytes -= len(u.messages[n].frame.Payload)
		n++
	}
	clear(u.messages[:n]) // the array may live on
	u.messages = u.messages[n:]
	if len(u.messages) == 0 {
		u.messages = nil
	}
}

// expire forgets the messages whose time has passed.
func (u *unacked) expire(now time.Time) {
	u.messages = slices.DeleteFunc(u.messages, func(m numbered) bool {
		expired := !m.expires.IsZero() && now.After(m.expires)
		if expired {
			u.bytes -= len(m.frame.Payload)
		}
		return expired
	})
}

// frames returns what is to be sent again.
func (u *unacked) frames(now time.Time) []protocol.Frame {
	u.expire(now)
	frames := make([]protocol.Frame, len(u.messages))
	for i, m := range u.messages {
		frames[i] = m.frame
	}
	return frames
}

// ackHistory is the ack ids of the requests that succeeded lately, which are
// not carried out again. The zero ackHistory is empty.
type ackHistory struct {
	ids  map[uint64]struct{}
	ring []uint64 // the same in their order; next is the oldest once it is full
	next int
}

// maxAckHistory is how many ids are remembered, as in Microsoft's emulator.
const maxAckHistory = 1000

func (h *ackHistory) has(id uint64) bool {
	_, ok := h.ids[id]
	return ok
}

func (h *ackHistory) add(id uint64) {
	if h.ids == nil {
		h.ids = map[uint64]struct{}{}
	}
	if len(h.ring) < maxAckHistory {
		h.ring = append(h.ring, id)
	} else {
		delete(h.ids, h.ring[h.next])
		h.ring[h.next] = id
		h.next = (h.next + 1) % maxAckHistory
	}
	h.ids[id] = struct{}{}
}
