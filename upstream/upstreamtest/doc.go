// Package upstreamtest plays the Azure Web PubSub service in tests of event
// handlers: of an [upstream.EventHandler] or of any other [http.Handler]. It
// opens no port and no socket, and it works inside a bubble of
// [testing/synctest]. It asserts nothing: it returns what a client would see,
// and calls Fatal only for what no client and no service can do.
//
// # One request
//
// [NewRequest] makes one signed request for any event. Every field of [Event]
// has a default, so a test says what matters to it:
//
//	rec := httptest.NewRecorder()
//	h.ServeHTTP(rec, upstreamtest.NewRequest(upstreamtest.Event{
//		UserID: "alice",
//		Data:   upstreamtest.Text("hello"),
//	}))
//
// Faults make it deviate: NewRequest(ev, upstreamtest.BadSignature) has to be
// answered with 401. [To] sends a request elsewhere, also over the network:
//
//	resp, err := http.DefaultClient.Do(upstreamtest.To(url, upstreamtest.NewRequest(ev)))
//
// The handler under test accepts these requests when its validator knows
// [ConnectionString].
//
// # A conversation
//
// A [Service] asks the handler for consent, lets clients connect, and judges
// each answer as the real service does. A [Conn] carries user, groups,
// subprotocol, state and cookies from one event to the next:
//
//	svc := upstreamtest.NewService(t, h, nil)
//	c := svc.Connect(t.Context(), &upstreamtest.Client{UserID: "alice"})
//	if c.Refused() {
//		t.Fatal(c.StatusCode, c.Reason)
//	}
//	reply := c.Send(upstreamtest.Text("hello"))
//	if got, want := reply.Text(), "hello, alice"; got != want {
//		t.Errorf("got %q, want %q", got, want)
//	}
//	c.Close("")
//
// An answer that the real service cannot use is a refused client or a failed
// event here too, and Reason says what is wrong with it. A client of MQTT is
// one with [Client].MQTT. [Conn.Redeliver] is a retry.
//
// # A validator
//
// [TestValidator] checks that an [upstream.RequestValidator] of your own
// refuses what it has to.
//
// Where public sources leave open what the service does, the kit does what
// Microsoft's emulator does.
package upstreamtest
