package webpubsub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub"
)

// newExample returns a client of the hub "chat" of a service that prints what
// it is asked, knows the connection c1 and the user bob, and nobody else.
func newExample() (client *webpubsub.Client, stop func()) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		query := r.URL.Query()
		query.Del("api-version")
		line := r.Method + " " + strings.TrimPrefix(r.URL.EscapedPath(), "/api/hubs/chat")
		for _, name := range slices.Sorted(maps.Keys(query)) {
			line += fmt.Sprintf(" %s=%q", name, query[name])
		}
		fmt.Println(strings.TrimSpace(line + " " + string(body)))
		exists := r.URL.Path == "/api/health" || strings.Contains(r.URL.Path, "c1") || strings.Contains(r.URL.Path, "bob") || strings.Contains(r.URL.Path, "lobby")
		switch {
		case strings.HasSuffix(r.URL.Path, ":send"):
			w.WriteHeader(http.StatusAccepted)
		case r.Method == http.MethodDelete, strings.HasSuffix(r.URL.Path, ":closeConnections"):
			w.WriteHeader(http.StatusNoContent)
		case strings.HasSuffix(r.URL.Path, ":generateToken"):
			_, _ = io.WriteString(w, `{"token":"header.payload.signature"}`)
		case r.Method == http.MethodGet && query.Get("continuationToken") == "":
			_, _ = io.WriteString(w, `{"value":[{"connectionId":"c1","userId":"bob"}],"nextLink":"http://`+r.Host+r.URL.Path+`?continuationToken=2"}`)
		case r.Method == http.MethodGet:
			_, _ = io.WriteString(w, `{"value":[{"connectionId":"c2"}]}`)
		case (r.Method == http.MethodHead || r.Method == http.MethodPut) && !exists:
			w.Header().Set("x-ms-error-code", "Info.Connection.NotExisted")
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	client, err := webpubsub.NewClient("Endpoint="+server.URL+";AccessKey=an-access-key;Version=1.0;", "chat", nil)
	if err != nil {
		log.Fatal(err)
	}
	return client, server.Close
}

func ExampleNewClient() {
	// An application takes the connection string from its environment.
	client, err := webpubsub.NewClient("Endpoint=https://demo.webpubsub.azure.com;AccessKey=an-access-key;Version=1.0;", "chat", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.Endpoint(), client.Hub())

	_, err = webpubsub.NewClient("AccessKey=an-access-key", "chat", nil)
	fmt.Println(err)
	// Output:
	// https://demo.webpubsub.azure.com chat
	// webpubsub: connection string: it has no Endpoint
}

// identity stands for a credential of azidentity:
//
//	token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
//	return token.Token, err
type identity struct{}

func (identity) Token(_ context.Context, scope string) (string, error) {
	return "", errors.New("nobody is logged in for " + scope)
}

func ExampleNewClientWithCredential() {
	client, err := webpubsub.NewClientWithCredential("https://demo.webpubsub.azure.com", "chat", identity{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.SendToAll(context.Background(), webpubsub.Text("hello"), nil))
	// Output: webpubsub: SendToAll: no token: nobody is logged in for https://webpubsub.azure.com/.default
}

func ExampleClient_SendToAll() {
	client, stop := newExample()
	defer stop()
	ctx := context.Background()

	if err := client.SendToAll(ctx, webpubsub.Text("good morning"), nil); err != nil {
		log.Fatal(err)
	}
	news, err := webpubsub.JSON(map[string]any{"temperature": 21})
	if err != nil {
		log.Fatal(err)
	}
	err = client.SendToAll(ctx, news, &webpubsub.SendOptions{TTL: 30 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// POST /:send good morning
	// POST /:send messageTtlSeconds=["30"] {"temperature":21}
}

func ExampleClient_SendToGroup() {
	client, stop := newExample()
	defer stop()

	// Everybody in the room but the one who wrote it.
	err := client.SendToGroup(context.Background(), "rooms-7", webpubsub.Text("hello"), &webpubsub.SendOptions{
		Excluded: []string{"c1"},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: POST /groups/rooms-7/:send excluded=["c1"] hello
}

func ExampleClient_SendToUser() {
	client, stop := newExample()
	defer stop()

	err := client.SendToUser(context.Background(), "bob", webpubsub.Text("you have mail"), &webpubsub.SendOptions{
		Filter: webpubsub.Filter("not(? in groups)", "do not disturb"),
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: POST /users/bob/:send filter=["not('do not disturb' in groups)"] you have mail
}

func ExampleClient_SendToConnection() {
	client, stop := newExample()
	defer stop()

	message := webpubsub.Binary([]byte("bytes"))
	message.Metadata = map[string]string{"trace": "17"}
	if err := client.SendToConnection(context.Background(), "c1", message, nil); err != nil {
		log.Fatal(err)
	}
	// Output: POST /connections/c1/:send bytes
}

func ExampleClient_ConnectionExists() {
	client, stop := newExample()
	defer stop()

	for _, id := range []string{"c1", "c9"} {
		exists, err := client.ConnectionExists(context.Background(), id)
		fmt.Println(exists, err)
	}
	// Output:
	// HEAD /connections/c1
	// true <nil>
	// HEAD /connections/c9
	// false <nil>
}

func ExampleClient_CloseUserConnections() {
	client, stop := newExample()
	defer stop()

	err := client.CloseUserConnections(context.Background(), "bob", &webpubsub.CloseOptions{Reason: "logged out"})
	if err != nil {
		log.Fatal(err)
	}
	// Output: POST /users/bob/:closeConnections reason=["logged out"]
}

func ExampleClient_AddUserToGroup() {
	client, stop := newExample()
	defer stop()

	if err := client.AddUserToGroup(context.Background(), "bob", "lobby"); err != nil {
		log.Fatal(err)
	}
	if err := client.RemoveUserFromGroup(context.Background(), "bob", "lobby"); err != nil {
		log.Fatal(err)
	}
	// Output:
	// PUT /users/bob/groups/lobby
	// DELETE /users/bob/groups/lobby
}

func ExampleClient_AddConnectionsToGroups() {
	client, stop := newExample()
	defer stop()

	filter := webpubsub.Filter("startswith(userId, ?)", "admin-")
	if err := client.AddConnectionsToGroups(context.Background(), []string{"admins", "staff"}, filter); err != nil {
		log.Fatal(err)
	}
	// Output: POST /:addToGroups {"groups":["admins","staff"],"filter":"startswith(userId, 'admin-')"}
}

func ExampleClient_GroupConnections() {
	client, stop := newExample()
	defer stop()

	for member, err := range client.GroupConnections(context.Background(), "lobby", nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %q\n", member.ConnectionID, member.UserID)
	}
	// Output:
	// GET /groups/lobby/connections
	// c1 "bob"
	// GET /groups/lobby/connections continuationToken=["2"]
	// c2 ""
}

func ExampleClient_GrantPermission() {
	client, stop := newExample()
	defer stop()
	ctx := context.Background()

	if err := client.GrantPermission(ctx, "c1", webpubsub.PermissionSendToGroup, "lobby"); err != nil {
		log.Fatal(err)
	}
	ok, err := client.HasPermission(ctx, "c1", webpubsub.PermissionSendToGroup, "lobby")
	fmt.Println(ok, err)
	// Output:
	// PUT /permissions/sendToGroup/connections/c1 targetName=["lobby"]
	// HEAD /permissions/sendToGroup/connections/c1 targetName=["lobby"]
	// true <nil>
}

func ExampleClient_ClientAccessURL() {
	client, err := webpubsub.NewClient("Endpoint=https://demo.webpubsub.azure.com;AccessKey=an-access-key;Version=1.0;", "chat", nil)
	if err != nil {
		log.Fatal(err)
	}
	negotiate := func(w http.ResponseWriter, r *http.Request) {
		access, err := client.ClientAccessURL(r.Context(), &webpubsub.ClientAccessOptions{
			UserID: "bob", // whoever is logged in
			Roles:  []string{webpubsub.RoleSendToGroup("lobby")},
			Groups: []string{"lobby"},
		})
		if err != nil {
			http.Error(w, "try again later", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(access)
	}

	w := httptest.NewRecorder()
	negotiate(w, httptest.NewRequest(http.MethodGet, "/negotiate", nil))
	before, _, _ := strings.Cut(w.Body.String(), "eyJ")
	fmt.Println(before + "…")
	// Output: {"url":"wss://demo.webpubsub.azure.com/client/hubs/chat?access_token=…
}

func ExampleClient_GenerateClientToken() {
	client, stop := newExample()
	defer stop()

	token, err := client.GenerateClientToken(context.Background(), &webpubsub.ClientAccessOptions{Lifetime: 5 * time.Minute})
	fmt.Println(token != "", err)
	// Output:
	// POST /:generateToken clientType=["Default"] minutesToExpire=["5"]
	// true <nil>
}

func ExampleClient_Health() {
	client, stop := newExample()
	defer stop()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := client.Health(ctx); err != nil {
		fmt.Println("the service is not ready:", err)
	}
	// Output:
	// HEAD /api/health
}

func ExampleError() {
	client, stop := newExample()
	defer stop()

	err := client.AddConnectionToGroup(context.Background(), "gone", "rooms")
	if e, ok := errors.AsType[*webpubsub.Error](err); ok && e.StatusCode == http.StatusNotFound {
		fmt.Println("the client has left:", e.Code)
	}
	fmt.Println(err)
	// Output:
	// PUT /groups/rooms/connections/gone
	// the client has left: Info.Connection.NotExisted
	// webpubsub: AddConnectionToGroup: the service answered 404 Not Found (Info.Connection.NotExisted)
}

func ExampleFilter() {
	fmt.Println(webpubsub.Filter("userId ne ? and ? in groups", "it's me", "lobby"))
	fmt.Println(webpubsub.Filter("userId eq ? or length(userId) gt ?", nil, 3))
	// Output:
	// userId ne 'it''s me' and 'lobby' in groups
	// userId eq null or length(userId) gt 3
}
