package main

import (
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/lmittmann/tint"
)

// logHandler returns the handler of the log, which has what is no event.
func (a *app) logHandler(verbose bool) slog.Handler {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	if a.json {
		return slog.NewJSONHandler(a.stderr, &slog.HandlerOptions{Level: level})
	}
	return tint.NewTextHandler(a.stderr, &tint.Options{
		Level: level, TimeFormat: time.TimeOnly, NoColor: !a.colors(a.stderr), ReplaceAttr: printableAttr,
	})
}

// printableAttr makes what is logged fit for a terminal, messages included:
// package tint passes escape sequences on.
func printableAttr(_ []string, attr slog.Attr) slog.Attr {
	switch value := attr.Value.Resolve(); value.Kind() {
	case slog.KindString:
		attr.Value = slog.StringValue(printable(value.String()))
	case slog.KindAny:
		if _, ok := value.Any().(slog.Level); !ok {
			attr.Value = slog.StringValue(printable(fmt.Sprint(value.Any())))
		}
	}
	return attr
}

// colors reports whether somebody sees the colours that are written to w.
func (a *app) colors(w any) bool {
	if locked, ok := w.(*lockedWriter); ok {
		w = locked.w
	}
	file, ok := w.(*os.File)
	if !ok || a.getenv("NO_COLOR") != "" || a.getenv("TERM") == "dumb" || runtime.GOOS == "windows" && a.getenv("WT_SESSION") == "" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
