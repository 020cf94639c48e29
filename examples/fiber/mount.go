package main

import (
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gowebpubsub/webpubsub/upstream"
)

func newConfig() fiber.Config {
	return fiber.Config{
		// Fiber uses the memory of a request again once it is answered, and
		// strings of an event may live on: in the background, in a map of
		// users. Its adaptor for net/http handlers makes no copies either.
		Immutable: true,
		// The whole body is in memory before the signature is looked at.
		BodyLimit: upstream.DefaultMaxBodyBytes,
		// All headers have to fit, and one of them is the connection's state.
		ReadBufferSize: 2 * upstream.MaxStateBytes,
		// Without deadlines, who sends or reads a byte a minute holds a
		// connection for ever.
		ReadTimeout:  30 * time.Second,
		WriteTimeout: 100 * time.Second, // the service waits no longer for an answer
		IdleTimeout:  2 * time.Minute,   // it asks for consent every minute
	}
}

// mount routes a path, with and without a trailing slash, and all below it.
func mount(app *fiber.App, path string, events *upstream.EventHandler) {
	for _, path := range []string{path, path + "/*"} {
		app.Add([]string{fiber.MethodOptions, fiber.MethodGet}, path, func(c fiber.Ctx) error {
			return send(c, events.Preflight(c.GetReqHeaders()))
		})
		app.Post(path, func(c fiber.Ctx) error {
			return send(c, events.HandleHTTP(c.Context(), c.GetReqHeaders(), c.BodyRaw()))
		})
	}
}

func send(c fiber.Ctx, resp *upstream.Response) error {
	for key, values := range resp.Header {
		for _, value := range values {
			c.Response().Header.Add(key, value)
		}
	}
	return c.Status(resp.StatusCode).Send(resp.Body)
}
