package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"

	"github.com/coder/websocket"
)

// clientMain is a WebSocket client that does what it is told:
//
//	client [-subprotocol NAME] [-origin URL] URL [send:TEXT | recv:REGEXP | closed]…
//
// It prints what it receives, or "refused" and the status.
func clientMain(args []string) int {
	flags := flag.NewFlagSet("client", flag.ContinueOnError)
	subprotocol := flags.String("subprotocol", "", "to offer")
	origin := flags.String("origin", "", "of the page that connects")
	if err := flags.Parse(args); err != nil || flags.NArg() == 0 {
		return 2
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	options := &websocket.DialOptions{HTTPHeader: http.Header{}}
	if *origin != "" {
		options.HTTPHeader.Set("Origin", *origin)
	}
	if *subprotocol != "" {
		options.Subprotocols = []string{*subprotocol}
	}
	ws, response, err := websocket.Dial(ctx, flags.Arg(0), options)
	if err != nil {
		if response == nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println("refused", response.StatusCode)
		return 1
	}
	defer ws.CloseNow()
	for _, step := range flags.Args()[1:] {
		if err := clientStep(ctx, ws, step); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", step, err)
			return 1
		}
	}
	_ = ws.Close(websocket.StatusNormalClosure, "")
	return 0
}

func clientStep(ctx context.Context, ws *websocket.Conn, step string) error {
	verb, text, _ := strings.Cut(step, ":")
	switch verb {
	case "send":
		return ws.Write(ctx, websocket.MessageText, []byte(text))
	case "closed":
		_, payload, err := ws.Read(ctx)
		if code := websocket.CloseStatus(err); code >= 0 {
			fmt.Println("closed", int(code))
			return nil
		}
		return fmt.Errorf("received %q, %w", payload, err)
	case "recv":
		_, payload, err := ws.Read(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", payload)
		if !regexp.MustCompile(text).Match(payload) {
			return fmt.Errorf("received %s", payload)
		}
		return nil
	}
	return fmt.Errorf("no such step")
}
