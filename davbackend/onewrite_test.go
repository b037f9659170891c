package davbackend_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"davwopi/davbackend"
)

// A writing is a connection that remembers what each Write was given.
type writing struct {
	net.Conn
	mu   sync.Mutex
	sent [][]byte // guarded by mu
}

func (w *writing) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.sent = append(w.sent, bytes.Clone(p))
	w.mu.Unlock()
	return w.Conn.Write(p)
}

// Header and XML leave in one piece, so that the upstream need not wake up twice.
func TestXMLGoesWithItsHeader(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }))
	defer server.Close()
	var made *writing
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		made = &writing{Conn: conn}
		return made, err
	}}
	defer transport.CloseIdleConnections()
	client := &davbackend.Client{Base: parse(t, server.URL+"/"), Assumed: davbackend.Embedded, Transport: transport}
	view := client.As(davbackend.Credential{})
	for name, ask := range map[string]func() error{
		"PROPFIND": func() error { _, err := view.Stat(t.Context(), "/a"); return err },
		"LOCK": func() error {
			_, _, err := view.Lock(t.Context(), "/a", davbackend.LockRequest{Owner: "somebody"})
			return err
		},
	} {
		if err := ask(); err == nil {
			t.Errorf("%s: the server knows nothing", name)
		}
		made.mu.Lock()
		if len(made.sent) != 1 || !bytes.HasPrefix(made.sent[0], []byte(name+" ")) || !bytes.HasSuffix(bytes.TrimSpace(made.sent[0]), []byte(">")) {
			t.Errorf("%s: %q", name, made.sent)
		}
		made.sent = nil
		made.mu.Unlock()
	}
}
