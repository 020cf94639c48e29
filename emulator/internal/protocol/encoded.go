package protocol

// An Encoded is a message on its way to many clients, written once for each
// form that they need. It is for use by one goroutine; the frames it returns
// are shared by all, and are not to be changed.
type Encoded struct {
	message Message
	frames  []formFrame
}

type formFrame struct {
	form  Form
	frame Frame
}

// NewEncoded returns a message that is not written in any form yet.
func NewEncoded(m DataMessage) *Encoded { return &Encoded{message: m} }

// Frame returns the message for clients of a codec.
func (e *Encoded) Frame(c Codec) Frame {
	for _, f := range e.frames {
		if f.form == c.Form() {
			return f.frame
		}
	}
	frame, _ := c.Encode(e.message) // there is no codec without data messages
	e.frames = append(e.frames, formFrame{c.Form(), frame})
	return frame
}
