// Package check judges event handlers of Azure Web PubSub, in whatever language
// they are written: it plays the service, sends what the service sends and a few
// things that an attacker would, and says by rules what is wrong, why that
// matters, and how to mend it.
//
// [Run] judges a handler behind a URL, [Test] one in this process:
//
//	func TestConformance(t *testing.T) {
//		check.Test(t, newHandler(validator), &check.Options{Query: url.Values{"user": {"alice"}}})
//	}
//
// # What is sent
//
// First a few requests find out what the handler does: the handshake, then a
// client that connects and sends each of the events that the handler is said to
// serve. Rules then change one thing at a time. What they send is what the
// service could send, but for rules that are marked hostile, which send nothing
// that could do more than any unauthenticated caller could do anyway.
//
// A check sends a few hundred requests at most, never more than 200 in a second
// and one after another but for the rules about concurrency. It is for handlers
// of one's own: each request is an event that the handler acts upon, and what
// stores messages will store some odd ones. In the end the handler is told that
// all clients are gone.
//
// # What a verdict means
//
// A [Must] breaks a real client or the service's delivery, or lets a forged or
// foreign request act. A handler that is right fails none: what a reasonable
// handler may answer in one way or another is a [Should] or an [Info]. A rule
// that rests on something that is broken itself is not judged.
package check
