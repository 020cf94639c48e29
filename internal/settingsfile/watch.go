package settingsfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// DefaultInterval is how often [Watch] looks at a file unless told otherwise.
const DefaultInterval = 500 * time.Millisecond

// Watch reads a file at once and then whenever its content changes, and calls
// apply with the result of [Read], until ctx ends. It returns then.
//
// It compares the content, again and again in the given interval
// ([DefaultInterval] if 0 or less): what editors and deployments do, to write
// in place, to rename over, to switch a symbolic link, to delete and make anew,
// is all the same to it. The price is that a change takes up to an interval to
// be seen.
//
// An error (fs.ErrNotExist in the chain when there is no file) is given to
// apply, too, with a nil *File: the settings so far are best kept. After the
// first reading it is so only when it is found twice in a row, for a file is
// often missing, empty or half there while it is written. apply is not called
// again for what it was called for last.
func Watch(ctx context.Context, path string, environ []string, interval time.Duration, apply func(*File, error)) {
	if interval <= 0 {
		interval = DefaultInterval
	}
	w := watcher{path: path, environ: environ, apply: apply}
	w.look()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.look()
		}
	}
}

type watcher struct {
	path    string
	environ []string
	apply   func(*File, error)

	started bool
	applied string // the state that apply knows
	doubt   string // another one, bad, that was found the last time
}

// look reads the file and calls apply if there is something new.
func (w *watcher) look() {
	data, err := readFile(w.path)
	state := "content " + string(data)
	if err != nil {
		state = "error " + err.Error()
	}
	if w.started && state == w.applied {
		w.doubt = ""
		return
	}
	var f *File
	if err == nil {
		f, err = Read(w.path, data, w.environ)
	}
	if err != nil && w.started && state != w.doubt {
		w.doubt = state
		return
	}
	w.started, w.applied, w.doubt = true, state, ""
	w.apply(f, err)
}

// readFile reads a file up to a little more than MaxSize, which Read refuses.
func readFile(path string) ([]byte, error) {
	// To open a pipe would wait for somebody to write.
	if info, err := os.Stat(path); err != nil {
		return nil, reason(path, err)
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, reason(path, err)
	}
	return data, nil
}

// reason puts the path in front of an error, in place of the call that failed.
func reason(path string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}
