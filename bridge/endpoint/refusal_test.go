package endpoint

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/proof"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/bridge/words"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// refused sends err as the answer of an operation and returns what arrived.
func refused(t *testing.T, err error) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	answer(w, wopi.Response{}, Refusal(err), err)
	return w.Result()
}

// TestRefusalsForPeople: what our text editor says travels as a key with what it speaks of,
// whatever is in a name; never as a string to be looked for.
func TestRefusalsForPeople(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&locks.MismatchError{Foreign: true, Holder: "Jö\r\nX-Evil: 1&name=Bob?", Reason: "r"}, "refusal.held?name=J%C3%B6%0D%0AX-Evil%3A+1%26name%3DBob%3F"},
		{&locks.MismatchError{Foreign: true, Reason: "r"}, "refusal.program"},
		{&locks.MismatchError{Current: "A", Reason: "r"}, "refusal.elsewhere"},
		{locks.ErrWaiting(), "refusal.waiting"},
		{&davbackend.LockedError{Holder: "Jo"}, "refusal.held?name=Jo"},
		{&saves.ConflictError{}, "refusal.outside"}, {&saves.ConflictError{Copy: "x"}, "refusal.outside_copied"},
		{&saves.KeptError{Err: dav.ErrUnavailable}, "refusal.kept"}, {&saves.KeptError{Err: dav.ErrFull}, "refusal.kept_full"},
		{&saves.KeptError{Err: dav.ErrTooLarge}, "refusal.kept_large"}, {&saves.KeptError{Err: dav.ErrDenied}, "refusal.kept_denied"},
		{dav.ErrUnavailable, "refusal.down"}, {sqldb.ErrUnavailable, "refusal.database"}, {ErrCrowd, "refusal.crowd"},
		{invalidName("r", NameFault("~$a.txt")), "name.reserved"}, {invalidName("r", NameFault("a/b")), "name.characters"},
		{access.ErrToken, ""}, {idmap.ErrNotFound, ""}, {errors.New("unknown"), ""},
	} {
		got := refused(t, c.err).Header
		if got.Get(wopi.HeaderSaid) != c.want || got.Get("X-Evil") != "" {
			t.Errorf("%v: %q, want %q", c.err, got.Get(wopi.HeaderSaid), c.want)
		}
		for _, l := range words.All() {
			key, _, _ := strings.Cut(c.want, "?")
			if said := l.Text(Refusal(c.err).Said); c.want != "" && (said == "" || strings.HasPrefix(said, key) || strings.Contains(said, "{")) {
				t.Errorf("%v: %q", c.err, said)
			}
		}
	}
	for _, row := range statuses {
		if row.said == nil && row.err != locks.ErrNotEmpty && (row.status == http.StatusConflict || row.status == http.StatusRequestEntityTooLarge) {
			t.Errorf("%v: nothing to say", row.err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		status int
		lock   string // "-" for: no X-WOPI-Lock
	}{
		{"401: invalid token", access.ErrToken, 401, "-"},
		{"401: expired token", access.ErrExpired, 401, "-"},
		{"404: no such file", idmap.ErrNotFound, 404, "-"},
		{"404: moved out of reach", idmap.ErrMissing, 404, "-"},
		{"404: not visible for the person", dav.ErrDenied, 404, "-"},
		{"409: lock mismatch, current lock ID", &locks.MismatchError{Current: "A", Reason: "r"}, 409, "A"},
		{"409: not locked, header present and empty", &locks.MismatchError{Reason: "r"}, 409, ""},
		{"409: a WebDAV lock of somebody else", &davbackend.LockedError{Holder: "Jo"}, 409, ""},
		{"409: a conflict copy was made", &saves.ConflictError{Copy: "a (conflict).docx", Current: "A"}, 409, "A"},
		{"413: the upstream is full", &saves.KeptError{Err: dav.ErrFull}, 413, "-"},
		{"413: too large", dav.ErrTooLarge, 413, "-"},
		{"500: proof", proof.ErrProof, 500, "-"},
		{"500: the upstream is down, bytes kept", &saves.KeptError{Err: dav.ErrUnavailable}, 500, "-"},
		{"503: the state database does not answer", sqldb.ErrUnavailable, 503, "-"},
		{"500: anything unknown", errors.New("secret detail"), 500, "-"},
		{"501: operation not supported", errOperation, 501, "-"},
		{"400: a malformed header", wopi.ErrMalformed, 400, "-"},
		{"an answer of an operation is left alone", &wopi.Error{Status: 412}, 412, "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := refused(t, fmt.Errorf("files: /Secret/Name.docx: %w", c.err))
			if r.StatusCode != c.status {
				t.Errorf("status %d, want %d", r.StatusCode, c.status)
			}
			if again := r.Header.Get("Retry-After"); (again == "5") != (c.status == 503) {
				t.Errorf("Retry-After: %q", again)
			}
			lock, there := r.Header["X-Wopi-Lock"]
			if there != (c.lock != "-") || there && lock[0] != c.lock {
				t.Errorf("X-WOPI-Lock: %q", lock)
			}
			if c.status == 409 && r.Header.Get("X-WOPI-LockFailureReason") == "" {
				t.Error("X-WOPI-LockFailureReason is not set")
			}
			all, _ := io.ReadAll(r.Body)
			all = fmt.Append(all, r.Header)
			for _, leak := range []string{"Secret", "Name.docx", "secret detail", ".go:", "sql:", "panic"} {
				if strings.Contains(string(all), leak) {
					t.Errorf("%q leaks: %s", leak, all)
				}
			}
		})
	}
}

func TestCollaboraIsAskedToAsk(t *testing.T) {
	r := refused(t, &saves.ConflictError{Ask: true, Current: "A"})
	body, _ := io.ReadAll(r.Body)
	if r.StatusCode != 409 || string(body) != `{"COOLStatusCode":1010,"LOOLStatusCode":1010}` {
		t.Errorf("%d %s", r.StatusCode, body)
	}
}

func TestReasonsFitIntoHeaders(t *testing.T) {
	r := refused(t, &locks.MismatchError{Reason: "locked by Jörg\r\nX-Evil: 1"})
	if r.Header.Get("X-Evil") != "" || strings.ContainsAny(r.Header.Get("X-WOPI-LockFailureReason"), "\r\nö") {
		t.Errorf("%q", r.Header)
	}
}

func TestFileBytesAreNoPage(t *testing.T) {
	w := httptest.NewRecorder()
	status, err := answer(w, wopi.Response{
		ItemVersion: "7.abc",
		Stream:      &wopi.Stream{Body: io.NopCloser(strings.NewReader("<script>")), Size: 8, Name: `a"b;ö.html`},
	}, nil, nil)
	h := w.Result().Header
	if status != 200 || err != nil || h.Get("X-WOPI-ItemVersion") != "7.abc" || h.Get("Content-Length") != "8" {
		t.Errorf("%d %v %v", status, err, h)
	}
	for name, want := range map[string]string{
		"Content-Disposition":     "attachment; filename*=UTF-8''a%22b%3B%C3%B6.html",
		"X-Content-Type-Options":  "nosniff",
		"Content-Security-Policy": "sandbox; default-src 'none'",
		"Content-Type":            "application/octet-stream",
	} {
		if h.Get(name) != want {
			t.Errorf("%s: %q", name, h.Get(name))
		}
	}
}
