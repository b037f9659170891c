package endpoint_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
)

// TestManyRequestsOfOneTokenWaitAndTheRestIsRefused fills a token's places: as many run, as
// many wait, the next is told to come again; other tokens know nothing of it.
func TestManyRequestsOfOneTokenWaitAndTheRestIsRefused(t *testing.T) {
	r := newRig(t)
	r.AtOnce = 4
	r.server.Write(t, "a.txt", "a")
	e := r.at("/a.txt")
	token, grant := r.open(e, "s")
	other, _ := r.open(e, "s")
	began, goOn := make(chan struct{}, 100), make(chan struct{})
	var once sync.Once
	release := func() { once.Do(func() { close(goOn) }) }
	defer release()
	table := endpoint.Table{
		wopi.OpCheckFileInfo: {Run: func(context.Context, *endpoint.Request) (wopi.Response, error) {
			began <- struct{}{}
			<-goOn
			return wopi.Response{}, nil
		}},
		wopi.OpGetFile: {Run: r.look},
	}
	id := func(*http.Request) string { return string(e.ID) }
	slow, quick := r.Handler(table, "", id), r.Handler(table, "contents", id)

	statuses := make(chan int, 8)
	for range 4 {
		go func() { statuses <- r.ask(slow, http.MethodGet, token, "", "") }()
	}
	for range 4 {
		<-began // each has its place
	}
	for range 4 {
		go func() { statuses <- r.ask(slow, http.MethodGet, token, "", "") }()
	}
	for deadline := time.Now().Add(time.Minute); endpoint.Crowd(r.Endpoint, grant.ID) < 8; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("four do not wait")
		}
	}
	w := httptest.NewRecorder()
	slow.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?access_token="+token, http.NoBody))
	if w.Code != http.StatusServiceUnavailable {
		t.Fatalf("the ninth: %d", w.Code)
	}
	if w.Header().Get("Retry-After") == "" || w.Header().Get(wopi.HeaderServerError) == "" {
		t.Errorf("refused without saying when to come again: %v", w.Header())
	}
	if status := r.ask(quick, http.MethodGet, other, "", ""); status != http.StatusOK {
		t.Errorf("another token: %d", status)
	}
	release()
	for range 8 {
		if status := <-statuses; status != http.StatusOK {
			t.Errorf("one that ran or waited: %d", status)
		}
	}
	if status := r.ask(quick, http.MethodGet, token, "", ""); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	}
}

// TestEditorsCallFromTheirNetworks: a stolen token of an editor is of no use elsewhere; the
// built-in editor and phones come from anywhere.
func TestEditorsCallFromTheirNetworks(t *testing.T) {
	r := newRig(t)
	r.Networks = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}
	const office, builtin = "https://office.example", "davwopi:text"
	r.Editors = &discovery.Editors{List: []discovery.Editor{{URL: builtin, Builtin: func() []byte { return nil }}}}
	r.server.Write(t, "a.txt", "a")
	e := r.at("/a.txt")
	h := r.handler(e, "contents")
	for _, c := range []struct {
		editor, from string
		want         int
	}{
		{office, "10.1.2.3:40000", http.StatusInternalServerError}, // its keys are not to be had here, which comes next
		{office, "[::ffff:10.1.2.3]:40000", http.StatusInternalServerError},
		{office, "[fd00::1%eth0]:0", http.StatusInternalServerError},
		{office, "10.2.2.3:40000", http.StatusForbidden},
		{office, "192.0.2.1:40000", http.StatusForbidden},
		{office, "somewhere", http.StatusForbidden},
		{builtin, "192.0.2.1:40000", http.StatusInternalServerError},
		{"", "192.0.2.1:40000", http.StatusOK},
	} {
		token, _, err := r.Tokens.Mint(t.Context(), access.Grant{
			File: e.ID, Space: r.space, Upstream: "main", Principal: anna, Session: "s", Rights: access.Edit, Editor: c.editor,
		})
		r.must(err)
		request := httptest.NewRequest(http.MethodGet, "/?access_token="+token, http.NoBody)
		request.RemoteAddr = c.from
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request)
		if w.Code != c.want {
			t.Errorf("%q from %s: %d, want %d (%s)", c.editor, c.from, w.Code, c.want, w.Header().Get(wopi.HeaderServerError))
		}
	}
}
