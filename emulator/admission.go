package emulator

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/emulator/internal/access"
	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// admit decides who a client is and what it may do: its token says so, its URL,
// and the application, whose word counts most.
func (u *upgrade) admit() error {
	if err := u.authenticate(); err != nil {
		return err
	}
	if err := u.chooseMode(); err != nil {
		return err
	}
	u.negotiate()
	u.events = &deliver.Connection{ID: newConnectionID(), Hub: u.hub.name, UserID: u.claims.UserID}
	if err := u.askApplication(); err != nil {
		return err
	}
	u.events.UserID, u.events.Subprotocol = u.claims.UserID, u.subprotocol
	if u.server.tasks.isClosed() {
		u.handshakeFailed()
		return errClosing
	}
	return nil
}

// authenticate reads the access token. It may travel in the query or in a
// header.
func (u *upgrade) authenticate() error {
	token := cmp.Or(u.last("access_token"), bearer(u.r.Header))
	if token == "" {
		if u.hub.config().anonymous {
			return nil
		}
		return &refusal{status: http.StatusUnauthorized, text: "An access token is missing: expected ?access_token= or an Authorization header."}
	}
	claims, err := u.server.keys.VerifyClient(token, u.server.hosts(u.r), u.hub.name)
	if err != nil {
		if bad, ok := errors.AsType[*access.Error](err); ok && bad.Claim {
			return &refusal{status: http.StatusBadRequest, text: "A claim of the access token is malformed.", cause: err}
		}
		return &refusal{status: http.StatusUnauthorized, text: "The access token is not valid.", cause: err}
	}
	if err := errors.Join(checkUserID(claims.UserID), checkGroups(claims.Groups)); err != nil {
		return &refusal{status: http.StatusBadRequest, text: "The claim sub or webpubsub.group of the access token is malformed.", cause: err}
	}
	u.claims = *claims
	return nil
}

// chooseMode reads what simple clients say about themselves in the query. It is
// checked for all clients.
func (u *upgrade) chooseMode() error {
	u.simple = protocol.SimpleEvent()
	switch mode := u.last("webpubsub_mode"); {
	case mode == "", strings.EqualFold(mode, "sendEvent"):
		return nil
	case !strings.EqualFold(mode, "sendToGroup"):
		return badRequest("webpubsub_mode is not valid: expected sendEvent or sendToGroup.")
	}
	group := u.last("group")
	if !wire.ValidGroup(group) {
		return badRequest("webpubsub_mode=sendToGroup needs a group: expected 1 to 1024 characters, not only white space.")
	}
	noEcho := u.last("noEcho")
	if noEcho != "" && !strings.EqualFold(noEcho, "true") && !strings.EqualFold(noEcho, "false") {
		return badRequest("noEcho is not valid: expected true or false.")
	}
	u.simple = protocol.SimpleGroup(group, strings.EqualFold(noEcho, "true"))
	return nil
}

// negotiate takes the protocol that the client's offer leads to by itself.
func (u *upgrade) negotiate() {
	var ok bool
	if u.codec, u.subprotocol, ok = protocol.Negotiate(u.offered); !ok {
		u.codec = u.simple
	}
}

// askApplication sends the connect event, if a handler takes it, and applies
// the answer. A client that goes away meanwhile does not end it: a handler that
// has admitted the client is to hear of its end.
func (u *upgrade) askApplication() error {
	handlers := u.hub.config().handlers
	if !handlers.Takes(wire.KindConnect, "") {
		return nil
	}
	event := u.events.NewEvent(wire.KindConnect, "")
	var err error
	if event.Body, err = wire.Marshal(u.connectBody()); err != nil {
		return err
	}
	answer, err := u.server.sender.Send(u.server.life, handlers, event)
	if err != nil {
		return u.rejection(err)
	}
	u.asked = true
	return u.apply(answer.Connect())
}

// rejection is what the client gets when the application did not admit it.
func (u *upgrade) rejection(err error) error {
	rejected, ok := errors.AsType[*deliver.StatusError](err)
	if !ok || rejected.Status() < 400 {
		return &refusal{status: http.StatusInternalServerError, text: "The connect event could not be delivered.", cause: err}
	}
	r := &refusal{status: rejected.Status(), text: http.StatusText(rejected.Status()), cause: err}
	if u.server.forwardRefusals && rejected.Status() < 500 {
		r.body = string(rejected.Answer.Body)
	}
	return r
}

// connectBody is what the application is told about the client. Secrets and the
// headers between the parts of the service are left out.
func (u *upgrade) connectBody() *wire.ConnectBody {
	body := &wire.ConnectBody{
		Claims: wire.Lists{}, Query: wire.Lists{}, Headers: wire.Lists{},
		Subprotocols: u.offered, ClientCertificates: []wire.ClientCertificate{},
	}
	for name, values := range u.claims.All {
		body.Claims[name] = values
	}
	for name, values := range u.query {
		if !strings.EqualFold(name, "access_token") {
			body.Query[name] = values
		}
	}
	for name, values := range u.r.Header {
		if name != "Authorization" && !strings.HasPrefix(name, "X-Asrs-Internal-") {
			body.Headers[name] = values
		}
	}
	body.Headers["Host"] = []string{u.r.Host}
	return body
}

// apply lets the application's answer win over the token.
func (u *upgrade) apply(answer *wire.ConnectAnswer) error {
	if answer.UserID != nil {
		u.claims.UserID = *answer.UserID
	}
	if len(answer.Groups) > 0 {
		u.claims.Groups = answer.Groups
	}
	if answer.Roles != nil {
		u.claims.Roles = answer.Roles
	}
	if err := errors.Join(checkUserID(u.claims.UserID), checkGroups(u.claims.Groups)); err != nil {
		return unusableAnswer(err)
	}
	if answer.Subprotocol == "" {
		return nil
	}
	i := slices.IndexFunc(u.offered, func(offered string) bool { return strings.EqualFold(offered, answer.Subprotocol) })
	if i < 0 {
		return unusableAnswer(fmt.Errorf("it chooses the subprotocol %q, and the client offered %q", answer.Subprotocol, u.offered))
	}
	var ok bool
	if u.codec, ok = protocol.Lookup(u.offered[i]); !ok {
		u.codec = u.simple
	}
	u.subprotocol = u.offered[i]
	return nil
}

func unusableAnswer(why error) error {
	return &refusal{status: http.StatusInternalServerError, text: "The application's answer to connect cannot be used.", cause: why}
}
