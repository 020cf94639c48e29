package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An entry is what the inspector tells of a request.
type entry struct {
	ID           int    `json:"id"`
	Kind         string `json:"kind"`
	ConnectionID string `json:"connectionId"`
	UserID       string `json:"userId"`
	Event        string `json:"event"`
	Status       int    `json:"status"`
}

// entries returns what the inspector has now: the first batch of its stream.
func (d *demo) entries(t *testing.T) []entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Inspector+"stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	event := ""
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = name
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || event != "entries" {
			continue
		}
		var all []entry
		if err := json.Unmarshal([]byte(data), &all); err != nil {
			t.Fatalf("the stream of the inspector has %s: %v", data, err)
		}
		return all
	}
	t.Fatal("the stream of the inspector has no entries")
	return nil
}

// cut breaks the network connection of a client, from the side of the service.
func (d *demo) cut(t *testing.T, connectionID string) {
	t.Helper()
	client := http.Client{Timeout: patience}
	url := fmt.Sprintf("%sconnections/%s/%s/cut", d.Inspector, d.Hub, connectionID)
	res, err := client.Post(url, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if got, want := res.StatusCode, http.StatusNoContent; got != want {
		t.Fatalf("POST %s answered %d, want %d", url, got, want)
	}
}

// lines are the rows of the panel as they are read: event, who, signs, answer,
// time taken and what it led to, without the time of day.
const lines = `[...document.querySelectorAll(".ins-line")].map((line) => {
	const seen = (e) => e.checkVisibility() && !e.closest(".visually-hidden");
	const words = [], walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) if (seen(walker.currentNode.parentElement)) words.push(walker.currentNode.data.trim());
	return {id: line.parentElement.dataset.id, text: words.filter(Boolean).slice(1).join(" ")};
})`

// row waits for a row of the panel that matches a pattern, and returns the
// selector of its last one.
func (p *tab) row(pattern string) string {
	p.t.Helper()
	id := ""
	p.waitFor("a row like "+pattern, func() bool {
		id = eval[string](p, `(pattern) => `+lines+`.findLast(({text}) => new RegExp(pattern).test(text))?.id ?? ""`, pattern)
		return id != ""
	})
	return fmt.Sprintf(".ins-row[data-id=%q]", id)
}

// rows returns the rows that are shown.
func (p *tab) rows() []string {
	p.t.Helper()
	return eval[[]string](p, `() => `+lines+`.map(({text}) => text)`)
}

// openRow opens a row of the panel and waits for its details.
func (p *tab) openRow(row string) {
	p.t.Helper()
	p.click(row + " .ins-line")
	p.wait("the details of "+row, `(row) => document.querySelector(row + " .ins-part-request")?.innerText`, row)
}

// openHeaders shows the headers in a part of an opened row. They may be open
// already: a panel remembers that.
func (p *tab) openHeaders(part string) {
	p.t.Helper()
	if !eval[bool](p, `(part) => document.querySelector(part + " details").open`, part) {
		p.click(part + " summary")
	}
	p.see(part + " details table")
}

// choose chooses from a list.
func (p *tab) choose(selector, value string) {
	p.t.Helper()
	p.wait(selector+" offers "+value, `(selector, value) => [...document.querySelector(selector).options].some((o) => o.value === value)`, selector, value)
	eval[bool](p, `(selector, value) => {
		const select = document.querySelector(selector);
		select.value = value;
		return select.dispatchEvent(new Event("change", {bubbles: true}));
	}`, selector, value)
}

// quiet waits until the list of rows has not changed for a moment.
func (p *tab) quiet() []string {
	p.t.Helper()
	const moment = 300 * time.Millisecond // some batches of the stream
	last, since := p.rows(), time.Now()
	p.waitFor("the list is quiet", func() bool {
		now := p.rows()
		if strings.Join(now, "\n") != strings.Join(last, "\n") {
			last, since = now, time.Now()
		}
		return time.Since(since) > moment
	})
	return last
}
