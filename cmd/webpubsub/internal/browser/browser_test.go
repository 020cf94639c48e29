package browser

import "testing"

func TestOpener(t *testing.T) {
	for system, want := range map[string]string{"linux": "xdg-open", "freebsd": "xdg-open", "darwin": "open", "windows": "rundll32"} {
		if got, _ := opener(system); got != want {
			t.Errorf("%s: got %s, want %s", system, got, want)
		}
	}
}

func TestNobodyToAsk(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := Open("http://localhost:8080/"); err == nil {
		t.Error("got no error, want that nothing opens pages")
	}
}
