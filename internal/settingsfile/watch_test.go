package settingsfile_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/settingsfile"
)

// A watched is a file under Watch inside a bubble. Looking at files takes no
// time there.
type watched struct {
	t    *testing.T
	path string

	mu    sync.Mutex // guards what follows
	calls []string   // the name of a hub, or "error"
	errs  []error
}

// watch starts Watch in a bubble and runs the test there.
func watch(t *testing.T, prepare func(path string), test func(*watched), environ ...string) {
	t.Helper()
	w := &watched{path: filepath.Join(t.TempDir(), "settings.json")}
	prepare(w.path)
	synctest.Test(t, func(t *testing.T) {
		w.t = t
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			settingsfile.Watch(ctx, w.path, environ, 0, func(f *settingsfile.File, err error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.errs = append(w.errs, err)
				if (f == nil) == (err == nil) {
					t.Errorf("apply got %v and %v", f, err)
				}
				w.calls = append(w.calls, describe(f, err))
			})
		}()
		// Between the times at which Watch looks.
		time.Sleep(settingsfile.DefaultInterval / 2)
		synctest.Wait()
		test(w)
		stop()
		<-done
		w.write("something else")
		w.expect(100)
	})
}

func describe(f *settingsfile.File, err error) string {
	if err != nil {
		return "error"
	}
	for name := range f.Settings.Hubs {
		return name
	}
	return "nothing"
}

// expect waits for so many intervals, and has the calls since the last time.
func (w *watched) expect(intervals int, want ...string) {
	w.t.Helper()
	time.Sleep(time.Duration(intervals) * settingsfile.DefaultInterval)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got, want := strings.Join(w.calls, " "), strings.Join(want, " "); got != want {
		w.t.Fatalf("got calls %q, want %q\n%v", got, want, w.errs)
	}
	w.calls = nil
}

func (w *watched) lastError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.errs[len(w.errs)-1]
}

func withHub(name string) string { return section(`"Hubs":{"` + name + `":{}}`) }

func (w *watched) write(text string) { write(w.t, w.path, text) }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWatchEdits(t *testing.T) {
	watch(t, func(path string) { write(t, path, withHub("a")) }, func(w *watched) {
		w.expect(0, "a")
		w.expect(100)
		w.write(withHub("b"))
		w.expect(1, "b")
		w.expect(100)
		// The same length, and a time of change that lies in the past.
		w.write(withHub("c"))
		must(t, os.Chtimes(w.path, time.Time{}, time.Unix(1, 0)))
		w.expect(1, "c")
		w.write(withHub("c"))
		must(t, os.Chtimes(w.path, time.Time{}, time.Now().Add(time.Hour)))
		w.expect(10)
	})
}

func TestWatchRename(t *testing.T) {
	watch(t, func(path string) { write(t, path, withHub("a")) }, func(w *watched) {
		w.expect(0, "a")
		next := w.path + ".next"
		write(t, next, withHub("b"))
		must(t, os.Rename(next, w.path))
		w.expect(1, "b")
		w.expect(10)
	})
}

func TestWatchSymlink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need privileges on Windows")
	}
	watch(t, func(path string) {
		// As Kubernetes lays out the files of a ConfigMap.
		dir := filepath.Dir(path)
		for _, name := range []string{"a", "b"} {
			must(t, os.Mkdir(filepath.Join(dir, name), 0o700))
			write(t, filepath.Join(dir, name, "settings.json"), withHub(name))
		}
		must(t, os.Symlink("a", filepath.Join(dir, "current")))
		must(t, os.Symlink(filepath.Join("current", "settings.json"), path))
	}, func(w *watched) {
		w.expect(0, "a")
		current := filepath.Join(filepath.Dir(w.path), "current")
		must(t, os.Symlink("b", current+".next"))
		must(t, os.Rename(current+".next", current))
		w.expect(1, "b")
		w.expect(10)
	})
}

func TestWatchDeletion(t *testing.T) {
	watch(t, func(path string) { write(t, path, withHub("a")) }, func(w *watched) {
		w.expect(0, "a")
		// For the moment in which an editor has the file deleted.
		must(t, os.Remove(w.path))
		w.expect(1)
		w.write(withHub("a"))
		w.expect(10)

		must(t, os.Remove(w.path))
		w.expect(100, "error")
		if err := w.lastError(); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), w.path+": ") {
			t.Errorf("got error %v, want %v of %s", err, fs.ErrNotExist, w.path)
		}
		w.write(withHub("b"))
		w.expect(1, "b")
	})
}

func TestWatchFileToCome(t *testing.T) {
	watch(t, func(string) {}, func(w *watched) {
		w.expect(0, "error")
		w.expect(100)
		w.write(withHub("a"))
		w.expect(1, "a")
	})
}

func TestWatchBadContent(t *testing.T) {
	watch(t, func(path string) { write(t, path, withHub("a")) }, func(w *watched) {
		w.expect(0, "a")
		// While it is written.
		w.write("")
		w.expect(1)
		w.write(withHub("b")[:20])
		w.expect(1)
		w.write(withHub("b"))
		w.expect(1, "b")

		w.write(withHub("c")[:20])
		w.expect(100, "error")
		if err := w.lastError(); !strings.HasPrefix(err.Error(), w.path+":1:") {
			t.Errorf("got error %v, want one with a place", err)
		}
		w.write(withHub("c")[:21])
		w.expect(100, "error")
		w.write(withHub("b"))
		w.expect(1, "b") // for somebody who was told of the error
	})
}

func TestWatchUnreadable(t *testing.T) {
	watch(t, func(path string) { write(t, path, withHub("a")) }, func(w *watched) {
		w.expect(0, "a")
		must(t, os.Remove(w.path))
		must(t, os.Mkdir(w.path, 0o700))
		w.expect(100, "error")
		must(t, os.Remove(w.path))
		w.write(strings.Repeat(" ", settingsfile.MaxSize+1))
		w.expect(100, "error")
		w.write(withHub("b"))
		w.expect(1, "b")
	})
}

func TestWatchEnvironment(t *testing.T) {
	watch(t, func(path string) { write(t, path, `{}`) }, func(w *watched) {
		w.expect(0, "fromEnvironment")
	}, "WebPubSub__Hubs__fromEnvironment__CloseOnEventFailure=true")
}

func TestWatchInterval(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.json")
	write(t, path, withHub("a"))
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		var calls []time.Duration
		start := time.Now()
		go func() {
			time.Sleep(90 * time.Second)
			write(t, path, withHub("b"))
		}()
		settingsfile.Watch(ctx, path, nil, time.Minute, func(*settingsfile.File, error) { calls = append(calls, time.Since(start)) })
		if len(calls) != 2 || calls[0] != 0 || calls[1] != 2*time.Minute {
			t.Errorf("got calls after %v, want 0 and 2 minutes", calls)
		}
	})
}

func TestWatchEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.json")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	settingsfile.Watch(ctx, path, nil, 0, func(*settingsfile.File, error) {})
}
