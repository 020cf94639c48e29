// Package demo is the server behind webpubsub demo: one address for the page,
// for the chat's event handler, for the service that sends it events, and for
// the inspector that shows them.
package demo

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/page"
)

// The paths of the server besides those of the service.
const (
	EventHandlerPath = "/eventhandler"
	InspectorPath    = "/inspector"
	negotiatePath    = "/negotiate"
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
}

// Handler returns the server.
func Handler(parts Parts) http.Handler {
	files, err := fs.Sub(web, "web")
	if err != nil {
		panic(err) // the folder is embedded
	}
	pages := page.Handler(files)
	// Not a ServeMux: it would clean paths, and the service reads them as they
	// were sent.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == negotiatePath:
			negotiate(w, r, parts.Client)
		case below(path, EventHandlerPath):
			parts.Chat.ServeHTTP(w, r)
		case below(path, InspectorPath):
			parts.Inspector.ServeHTTP(w, r)
		case below(path, "/client"), below(path, "/api"):
			parts.Service.ServeHTTP(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
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
	// The page may know this server by another address than the service does:
	// that of the machine in its network.
	_, path, _ := strings.Cut(access.URL, "://")
	_, path, _ = strings.Cut(path, "/")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]string{"url": "ws://" + r.Host + "/" + path}) // the page is gone
}
