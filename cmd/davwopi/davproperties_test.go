package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// karaDAV is what the file manager of KaraDAV asks, before it opens an editor by itself
// (webdav-manager, wopi.open).
const karaDAV = `<?xml version="1.0" encoding="UTF-8"?>
<D:propfind xmlns:D="DAV:" xmlns:W="https://interoperability.blob.core.windows.net/files/MS-WOPI/">
	<D:prop><W:wopi-url/><W:token/><W:token-ttl/></D:prop>
</D:propfind>`

// davProperty is the text of one property in an answer, "" it is not there.
func davProperty(answer, name string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`<(?:\w+:)?`+name+`(?: [^>]*)?>([^<]+)</`).FindAllStringSubmatch(answer, -1) {
		out = append(out, m[1])
	}
	return out
}

// Programs that come by WebDAV are told how to open a file in an editor, as KaraDAV tells
// them: with a token that is good for that file and that person.
func TestWhatWebDAVProgramsAreToldOfEditors(t *testing.T) {
	r := newHostileRig(t, `{public_url: "http://127.0.0.1:8880/office", upstream: {expose: true}, access: [{who: ["*"], path: /ro, rights: view}]}`)
	for _, name := range []string{"a.txt", "b.txt", "ro/c.txt", "d.zip"} {
		r.write(name, "hello")
	}
	password, made, err := r.passwords.Make(t.Context(), owner(), "")
	r.must(err)
	q := httptest.NewRequest("GET", "/", nil)
	q.SetBasicAuth("owner", password)
	ask := func(path, depth, body string) string {
		t.Helper()
		got := r.ask("PROPFIND", "/office/dav"+path, body, "Authorization", q.Header.Get("Authorization"), "Depth", depth)
		text, err := io.ReadAll(got.Body)
		r.must(err)
		if got.StatusCode != http.StatusMultiStatus {
			t.Fatalf("%s: %s %s", path, got.Status, text)
		}
		return string(text)
	}
	info := func(address, token string) (status int, canWrite bool) {
		t.Helper()
		got := r.ask("GET", strings.TrimPrefix(address, "http://127.0.0.1:8880")+"?access_token="+token, "")
		var told struct{ UserCanWrite bool }
		if got.StatusCode == http.StatusOK {
			r.must(json.NewDecoder(got.Body).Decode(&told))
		}
		return got.StatusCode, told.UserCanWrite
	}
	one := ask("/a.txt", "0", karaDAV)
	urls, tokens, ttls := davProperty(one, "wopi-url"), davProperty(one, "token"), davProperty(one, "token-ttl")
	if len(urls) != 1 || len(tokens) != 1 || len(ttls) != 1 || !strings.HasPrefix(urls[0], "http://127.0.0.1:8880/office/wopi/files/") {
		t.Fatalf("%q %q %q", urls, tokens, ttls)
	}
	if status, can := info(urls[0], tokens[0]); status != http.StatusOK || !can {
		t.Errorf("with the token: %d, writes %v", status, can)
	}
	if ms, err := strconv.ParseInt(ttls[0], 10, 64); err != nil || time.Until(time.UnixMilli(ms)) < time.Hour {
		t.Errorf("token-ttl %q is no time to come in milliseconds", ttls[0])
	}
	read := ask("/ro/c.txt", "0", karaDAV)
	if status, can := info(davProperty(read, "wopi-url")[0], davProperty(read, "token")[0]); status != http.StatusOK || can {
		t.Errorf("a file to read: %d, writes %v", status, can)
	}
	if status, _ := info(davProperty(read, "wopi-url")[0], tokens[0]); status != http.StatusUnauthorized {
		t.Errorf("another file's token: %d", status)
	}
	for path, body := range map[string]string{"/d.zip": karaDAV, "/ro/": karaDAV, "/a.txt": ""} {
		if got := ask(path, "0", body); strings.Contains(got, "wbw_") || strings.Contains(got, "wbd_") {
			t.Errorf("%s is told of an editor: %s", path, got)
		}
	}

	// Of a folder each file has a token of its own, and one row stands for all.
	var before, after int
	count := func(n *int) { r.must(r.db.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM access_grant`).Scan(n)) }
	count(&before)
	all := ask("/", "1", karaDAV)
	count(&after)
	urls, tokens = davProperty(all, "wopi-url"), davProperty(all, "token")
	if len(urls) < 2 || len(tokens) != len(urls) || tokens[0] == tokens[1] || after != before+1 {
		t.Fatalf("%q %q, %d rows more", urls, tokens, after-before)
	}
	for i := range urls {
		if status, can := info(urls[i], tokens[i]); status != http.StatusOK || !can {
			t.Errorf("%s: %d, writes %v", urls[i], status, can)
		}
	}
	if got := r.ask("PROPFIND", "/office/dav/a.txt", karaDAV, "Depth", "0"); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a password: %s", got.Status)
	}

	// They end with the password; another one's do not, nor does somebody else's name end it.
	other, _, err := r.passwords.Make(t.Context(), owner(), "")
	r.must(err)
	q.SetBasicAuth("owner", other)
	kept := davProperty(ask("/a.txt", "0", karaDAV), "token")[0]
	if _, err := r.revokeAppPassword(t.Context(), revokeArguments{User: "somebody", ID: made.ID}); err == nil {
		t.Error("revoked under another name")
	}
	if status, _ := info(urls[0], tokens[0]); status != http.StatusOK {
		t.Errorf("revoked under another name: %d", status)
	}
	_, err = r.revokeAppPassword(t.Context(), revokeArguments{ID: made.ID})
	r.must(err)
	for i := range urls {
		if status, _ := info(urls[i], tokens[i]); status != http.StatusUnauthorized {
			t.Errorf("%s after the password was revoked: %d", urls[i], status)
		}
	}
	if status, _ := info(davProperty(one, "wopi-url")[0], kept); status != http.StatusOK {
		t.Errorf("by the other password: %d", status)
	}
}
