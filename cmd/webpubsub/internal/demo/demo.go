// Package demo is the server behind webpubsub demo: one address for the page,
// for the chat's event handler, for the service that sends it events, and for
// the inspector that shows them.
package demo

import (
	"embed"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/page"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// The paths of the server besides those of the service.
const (
	EventHandlerPath = "/eventhandler"
	InspectorPath    = "/inspector"
	negotiatePath    = "/negotiate"
	commandsPath     = "/commands"
)

// tokenLifetime is how long the page has to connect with a URL: it asks for one
// just before.
const tokenLifetime = time.Minute

//go:embed web
var web embed.FS

// Parts are what the server consists of. All of them are required.
type Parts struct {
	Chat      http.Handler      // the event handler
	Service   http.Handler      // the local Web PubSub service
	Inspector http.Handler      // at InspectorPath
	Client    *webpubsub.Client // makes the URLs for the page
	Commands  Commands          // what the page says to type

	// Guard is put in front of what other web pages have no business with: of
	// everything but the service.
	Guard func(http.Handler) http.Handler
}

// Commands are what to try next in a terminal.
type Commands struct {
	Trigger string `json:"trigger"` // says something in the chat, by an event by hand; it has several lines
	Dev     string `json:"dev"`     // puts the service in front of a handler of one's own
}

// NewCommands returns the commands for whoever calls this one by a name, which
// may be "go run ./cmd/webpubsub", and whose service is at an endpoint with a
// key. Host and key are in them because those in the environment may be of
// another service.
func NewCommands(name, endpoint, key string) Commands {
	host := endpoint
	if u, err := url.Parse(endpoint); err == nil {
		host = wire.OriginHost(u.Host)
	}
	// What somebody says who is not connected: the state of a connection comes
	// with each of its events, and here it is that of a client with a name.
	state := base64.StdEncoding.EncodeToString([]byte(`{"name":"Terminal"}`))
	return Commands{
		Trigger: strings.Join([]string{
			name + " trigger say --to " + endpoint + EventHandlerPath,
			"  --key " + key,
			"  --origin " + host + " --type json",
			"  --state " + state,
			`  --data '{"room":"lobby","id":"1","text":"Hello from the terminal"}'`,
		}, " \\\n"),
		Dev: name + " dev --upstream http://localhost:3000/eventhandler",
	}
}

// Handler returns the server.
func Handler(parts Parts) http.Handler {
	files, err := fs.Sub(web, "web")
	if err != nil {
		panic(err) // the folder is embedded
	}
	pages := page.Handler(files)
	guarded := parts.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == negotiatePath:
			negotiate(w, r, parts.Client)
		case path == commandsPath:
			writeJSON(w, parts.Commands)
		case below(path, EventHandlerPath):
			parts.Chat.ServeHTTP(w, r)
		case below(path, InspectorPath):
			parts.Inspector.ServeHTTP(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
	}))
	// Not a ServeMux: it would clean paths, and the service reads them as they
	// were sent.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if below(r.URL.Path, "/client") || below(r.URL.Path, "/api") {
			parts.Service.ServeHTTP(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// below reports whether a path is another one or lies below it.
func below(path, root string) bool {
	rest, ok := strings.CutPrefix(path, root)
	return ok && (rest == "" || rest[0] == '/')
}

// negotiate gives the page a URL to connect to, with a token that is made on
// this side: pages must not have the key. A real application looks at who asks
// before it answers; here, everybody may chat.
func negotiate(w http.ResponseWriter, r *http.Request, client *webpubsub.Client) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "Ask with POST.", http.StatusMethodNotAllowed)
		return
	}
	access, err := client.ClientAccessURL(r.Context(), &webpubsub.ClientAccessOptions{Lifetime: tokenLifetime})
	if err != nil {
		http.Error(w, "No token could be made.", http.StatusInternalServerError)
		return
	}
	writeJSON(w, map[string]string{"url": access.URL})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // the page is gone
}
