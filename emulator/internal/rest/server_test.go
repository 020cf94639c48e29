package rest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
)

// Over a socket, where net/http reads the path and frames the answer.
func TestServer(t *testing.T) {
	s := newService()
	s.broker.reply = func(c broker.Command) broker.Reply {
		if count, ok := c.(broker.Count); ok && count.Target.Name == "a%2F b+c" {
			return broker.Reply{Count: 1}
		}
		return broker.Reply{}
	}
	server := httptest.NewServer(s)
	defer server.Close()

	tests := []struct {
		name, request string
		status        int
		length        int64 // -1 for none
	}{
		{"a name", "HEAD /api/hubs/chat/users/a%2F%20b+c HTTP/1.1\r\nHost: h\r\n\r\n", 200, -1},
		{"an error to HEAD", "HEAD /api/hubs/chat/users/other HTTP/1.1\r\nHost: h\r\n\r\n", 404, -1},
		{"no redirect", "POST /api//hubs/chat/../chat/:send HTTP/1.1\r\nHost: h\r\n\r\n", 404, -1},
		{"accepted", "POST /api/hubs/chat/:send HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi", 202, 0},
		{"gone", "DELETE /api/hubs/chat/connections/c HTTP/1.1\r\nHost: h\r\n\r\n", 204, 0},
		{"chunked", "POST /api/hubs/chat/:send HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 202, 0},
		{"chunked, too long", fmt.Sprintf("POST /api/hubs/chat/:send HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", maxBody+1, strings.Repeat("a", maxBody+1)), 413, -1},
		{"the recorded error", "PUT /api/hubs/chat/permissions/joinLeaveGroup/connections/conn1?api-version=2023-07-01&targetName=group1 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 404, 137},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.request); err != nil {
				t.Fatal(err)
			}
			method, _, _ := strings.Cut(tt.request, " ")
			resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != tt.status || tt.length >= 0 && resp.ContentLength != tt.length {
				t.Errorf("answer = %d with %d bytes, want %d with %d", resp.StatusCode, resp.ContentLength, tt.status, tt.length)
			}
		})
	}
}
