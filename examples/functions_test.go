package examples_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// TestFunctionsFiles checks what only the host of Azure Functions reads: the
// program is found, and every request of the service reaches it unchanged.
func TestFunctionsFiles(t *testing.T) {
	var host struct {
		CustomHandler struct {
			Description                 struct{ DefaultExecutablePath string }
			EnableForwardingHTTPRequest bool
		}
	}
	readJSON(t, "functions/host.json", &host)
	if got, want := host.CustomHandler.Description.DefaultExecutablePath, "functions"; got != want {
		t.Errorf("defaultExecutablePath is %q, want %q, the name that go build gives", got, want)
	}
	if !host.CustomHandler.EnableForwardingHTTPRequest {
		t.Error("enableForwardingHttpRequest is not set: the program would get the host's own envelope")
	}

	var function struct {
		Bindings []struct {
			Type, Direction, AuthLevel, Route string
			Methods                           []string
		}
	}
	readJSON(t, "functions/eventhandler/function.json", &function)
	if got, want := len(function.Bindings), 2; got != want {
		t.Fatalf("%d bindings, want %d: the host forwards only for one httpTrigger in and one http out", got, want)
	}
	trigger, out := function.Bindings[0], function.Bindings[1]
	if trigger.Type != "httpTrigger" || trigger.Direction != "in" || out.Type != "http" || out.Direction != "out" {
		t.Errorf("bindings are %q %q and %q %q, want httpTrigger in and http out", trigger.Type, trigger.Direction, out.Type, out.Direction)
	}
	if got, want := trigger.AuthLevel, "anonymous"; got != want {
		t.Errorf("authLevel is %q, want %q: the signature is the proof, and a key would have to be in every URL", got, want)
	}
	if got, want := "/api/"+trigger.Route, "/api/eventhandler/{*rest}"; got != want {
		t.Errorf("route is %q, want %q, with and without more segments", got, want)
	}
	for _, want := range []string{"post", "options", "get"} {
		if !slices.Contains(trigger.Methods, want) {
			t.Errorf("methods are %q, want %q among them", trigger.Methods, want)
		}
	}
}

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
