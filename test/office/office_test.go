package office_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/bridge/proof"
	"davwopi/bridge/wopi"
	"davwopi/test/office"
)

// A host answers just enough of WOPI to see what an office sends.
type host struct {
	*httptest.Server
	mu       sync.Mutex
	seen     []*http.Request
	bodies   []string
	lock     string
	contents string
	stamp    int
	keys     proof.Keys // checked if set
	bad      int        // requests whose proof did not hold
}

func newHost(t *testing.T) *host {
	h := &host{contents: "first"}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	h.seen, h.bodies = append(h.seen, r), append(h.bodies, string(body))
	if h.keys.Current != nil {
		_, err := h.keys.Check(proof.Request{
			Token: r.URL.Query().Get("access_token"), URL: "http://" + r.Host + r.RequestURI,
			TimeStamp: r.Header.Get(wopi.HeaderTimeStamp), Proof: r.Header.Get(wopi.HeaderProof), ProofOld: r.Header.Get(wopi.HeaderProofOld),
		}, time.Now())
		if err != nil {
			h.bad++
		}
	}
	h.answer(w, r, body)
}

func (h *host) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	time := func() string { return strings.Repeat("t", h.stamp+1) }
	switch wopi.ReadOperation(r.Method, strings.TrimPrefix(r.URL.Path, "/wopi/files/a"), r.Header) {
	case wopi.OpCheckFileInfo:
		info := wopi.CheckFileInfo{BaseFileName: "a.docx", Size: int64(len(h.contents)), UserId: "u1", UserCanWrite: true}
		info.SupportsLocks, info.LastModifiedTime = true, time()
		_ = json.NewEncoder(w).Encode(info)
	case wopi.OpGetFile:
		_, _ = io.WriteString(w, h.contents)
	case wopi.OpLock:
		id := r.Header.Get(wopi.HeaderLock)
		if h.lock != "" && h.lock != id {
			w.Header().Set(wopi.HeaderLock, h.lock)
			w.WriteHeader(http.StatusConflict)
			return
		}
		h.lock = id
	case wopi.OpUnlock:
		h.lock = ""
	case wopi.OpPutFile:
		h.contents, h.stamp = string(body), h.stamp+1
		_ = json.NewEncoder(w).Encode(wopi.PutFileInfo{LastModifiedTime: time()})
	}
}

func (h *host) operations() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []string
	for _, r := range h.seen {
		list = append(list, string(wopi.ReadOperation(r.Method, strings.TrimPrefix(r.URL.Path, "/wopi/files/a"), r.Header)))
	}
	return strings.Join(list, " ")
}

func (h *host) last() (*http.Request, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[len(h.seen)-1], h.bodies[len(h.bodies)-1]
}

func TestOperationsAreWhatTheirNamesSay(t *testing.T) {
	h := newHost(t)
	c := &office.Client{WOPISrc: h.URL + "/wopi/files/a", AccessToken: "tok+1"}
	ctx := t.Context()
	for _, tt := range []struct {
		want wopi.Operation
		send func() (office.Answer, error)
	}{
		{wopi.OpCheckFileInfo, func() (office.Answer, error) { return c.CheckFileInfo(ctx) }},
		{wopi.OpGetFile, func() (office.Answer, error) { return c.GetFile(ctx, 10) }},
		{wopi.OpPutFile, func() (office.Answer, error) { return c.PutFile(ctx, "L", []byte("x"), nil) }},
		{wopi.OpLock, func() (office.Answer, error) { return c.Lock(ctx, "L") }},
		{wopi.OpRefreshLock, func() (office.Answer, error) { return c.RefreshLock(ctx, "L") }},
		{wopi.OpUnlock, func() (office.Answer, error) { return c.Unlock(ctx, "L") }},
		{wopi.OpGetLock, func() (office.Answer, error) { return c.GetLock(ctx) }},
		{wopi.OpUnlockAndRelock, func() (office.Answer, error) { return c.UnlockAndRelock(ctx, "A", "B") }},
		{wopi.OpPutRelativeFile, func() (office.Answer, error) { return c.PutRelativeSuggested(ctx, "ö.docx", []byte("x")) }},
		{wopi.OpPutRelativeFile, func() (office.Answer, error) { return c.PutRelativeSpecific(ctx, "ö.docx", true, []byte("x")) }},
		{wopi.OpRenameFile, func() (office.Answer, error) { return c.RenameFile(ctx, "L", "ö", []byte("x")) }},
		{wopi.OpDeleteFile, func() (office.Answer, error) { return c.DeleteFile(ctx) }},
		{wopi.OpPutUserInfo, func() (office.Answer, error) { return c.PutUserInfo(ctx, "info") }},
		{wopi.OpGetShareUrl, func() (office.Answer, error) { return c.GetShareUrl(ctx, "ReadOnly") }},
		{wopi.OpEnumerateAncestors, func() (office.Answer, error) { return c.EnumerateAncestors(ctx) }},
		{wopi.OpGetEcosystem, func() (office.Answer, error) { return c.GetEcosystem(ctx) }},
		{wopi.OpAddActivities, func() (office.Answer, error) { return c.AddActivities(ctx, []byte(`{}`)) }},
	} {
		t.Run(string(tt.want), func(t *testing.T) {
			if _, err := tt.send(); err != nil {
				t.Fatal(err)
			}
			r, _ := h.last()
			if got := wopi.ReadOperation(r.Method, strings.TrimPrefix(r.URL.Path, "/wopi/files/a"), r.Header); got != tt.want {
				t.Errorf("arrived as %s", got)
			}
			if r.URL.Query().Get("access_token") != "tok+1" {
				t.Errorf("token arrived as %q", r.URL.RawQuery)
			}
		})
	}
	r, _ := h.last()
	if r.Header.Get("Authorization") != "" || r.Header.Get(wopi.HeaderProof) != "" {
		t.Errorf("a client without manners and keys sends %v", r.Header)
	}
}

func TestSessionsAreInTheOrderOfEachOffice(t *testing.T) {
	for _, tt := range []struct {
		office wopi.Office
		want   string
		stamp  string // header that carries LastModifiedTime
	}{
		{wopi.Collabora, "CheckFileInfo GetFile Lock PutFile PutFile Unlock", wopi.HeaderCoolTimestamp},
		{wopi.OnlyOffice, "CheckFileInfo Lock GetFile PutFile PutFile Unlock", wopi.HeaderLoolTimestamp},
		{wopi.Microsoft, "CheckFileInfo Lock GetFile PutFile PutFile Unlock", ""},
	} {
		t.Run(tt.office.String(), func(t *testing.T) {
			h := newHost(t)
			e := office.NewEditor(t, tt.office, true, "docx")
			h.keys = proof.Keys{Current: &e.Current.PublicKey, Old: &e.Old.PublicKey}
			s, err := e.Client(h.URL+"/wopi/files/a", "tok").Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if string(s.Contents) != "first" || s.ReadOnly {
				t.Errorf("read %q, read-only %v", s.Contents, s.ReadOnly)
			}
			for _, text := range []string{"second", "third"} {
				if _, err := s.Save(t.Context(), []byte(text), text == "third"); err != nil {
					t.Fatal(err)
				}
			}
			r, body := h.last()
			if body != "third" || r.Header.Get(wopi.HeaderLock) != s.LockID {
				t.Errorf("saved %q under %q", body, r.Header.Get(wopi.HeaderLock))
			}
			if tt.stamp != "" && r.Header.Get(tt.stamp) != "tt" {
				t.Errorf("timestamp %q is not that of the save before", r.Header.Get(tt.stamp))
			}
			if _, err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := h.operations(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if h.bad > 0 {
				t.Errorf("%d proofs do not hold", h.bad)
			}
		})
	}
}

func TestOpenWithoutTheLockIsReadOnly(t *testing.T) {
	h := newHost(t)
	h.lock = "another"
	s, err := (&office.Client{WOPISrc: h.URL + "/wopi/files/a", AccessToken: "t", Office: wopi.Collabora}).Open(t.Context())
	if err != nil || !s.ReadOnly {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := h.operations(); strings.Contains(got, "Unlock") {
		t.Errorf("released what it does not hold: %s", got)
	}
}

func TestAtTakesTheTokenThatWasHandedOut(t *testing.T) {
	h := newHost(t)
	c := &office.Client{WOPISrc: h.URL + "/wopi/files/x", AccessToken: "t"}
	other, err := c.At(h.URL + "/wopi/files/a?access_token=new%2B")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.CheckFileInfo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, _ := h.last(); r.URL.Path != "/wopi/files/a" || r.URL.Query().Get("access_token") != "new+" {
		t.Errorf("asked %s", r.URL)
	}
	if _, err := c.At(h.URL + "/wopi/files/a"); err == nil {
		t.Error("a URL without a token was taken")
	}
}

func TestEditorTakesTheForm(t *testing.T) {
	e := office.NewEditor(t, wopi.Collabora, false, "odt")
	res, err := http.PostForm(e.URL+"/browser/0f3a2b1/cool.html?WOPISrc=src", url.Values{"access_token": {"tok"}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	opened := e.Opened()
	if len(opened) != 1 || opened[0].Get("access_token") != "tok" || opened[0].Get("WOPISrc") != "src" {
		t.Errorf("opened %v", opened)
	}
}

func TestAnswer(t *testing.T) {
	a := office.Answer{Status: 409, Header: http.Header{}, Body: []byte(`{"x":1}`)}
	if lock, present := a.Lock(); lock != "" || present {
		t.Errorf("%q, %v", lock, present)
	}
	a.Header.Set(wopi.HeaderLock, "")
	if lock, present := a.Lock(); lock != "" || !present {
		t.Errorf("%q, %v", lock, present)
	}
	if got := a.String(); got != `409 X-WOPI-Lock: [""] "{\"x\":1}"` {
		t.Errorf("got %s", got)
	}
	if err := (office.Answer{Body: []byte("no")}).JSON(new(any)); err == nil {
		t.Error("text was taken for JSON")
	}
}
