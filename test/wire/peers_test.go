package wire

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/test/office"
)

// ticks is how LastModifiedTime is written: what Collabora cannot read it takes for a change
// in the storage.
var ticks = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$`)

// short is what a token may be in an address without being escaped, or cut.
var short = regexp.MustCompile(`^[0-9A-Za-z._~-]{40,128}$`)

// TestWhatOthersGotWrong plays an editing and looks at every answer for what editors of
// other hosts have stumbled over. The rest of these faults have tests of their own; which
// is which says the table in test/house.
func TestWhatOthersGotWrong(t *testing.T) {
	all := newOffices(t)
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			h := newHouse(t, all, davbackend.Embedded, nil)
			h.server.Write(t, "a.txt", before)
			h.server.Write(t, "b.txt", "another file")
			c, ctx := h.open(h.at("/a.txt"), kind, anna), t.Context()

			// Two people are in one editing: one address, and none of the other file's.
			if other := h.open(h.at("/a.txt"), kind, ben); other.WOPISrc != c.WOPISrc || h.open(h.at("/b.txt"), kind, ben).WOPISrc == c.WOPISrc {
				t.Errorf("Anna opens %s, Ben %s", c.WOPISrc, other.WOPISrc)
			}
			if !short.MatchString(c.AccessToken) {
				t.Errorf("a token of %d characters, which some office cuts or escapes", len(c.AccessToken))
			}
			info := h.info(c)
			if info.BaseFileName != "a.txt" || info.OwnerId == "" || info.UserId == "" || info.Version == "" || info.Size != int64(len(before)) {
				t.Errorf("CheckFileInfo lacks what every editor wants: %+v", info)
			}
			if info.PostMessageOrigin != h.web.URL {
				t.Errorf("PostMessageOrigin is %q, the host page's is %s", info.PostMessageOrigin, h.web.URL)
			}
			h.strangeRequests(c)

			s, err := c.Open(ctx)
			h.must(err)
			h.expect(http.StatusOK)(c.RefreshLock(ctx, s.LockID))
			last := h.info(c)
			if last.Version != info.Version || last.LastModifiedTime != info.LastModifiedTime {
				t.Errorf("a lock has made %s of %s", last.Version, info.Version)
			}
			for _, contents := range []string{"the same size", "the same size", "another size, at the same moment"} {
				a := h.save(s, contents)
				var said wopi.PutFileInfo
				h.must(a.JSON(&said))
				now := h.info(c)
				if !ticks.MatchString(said.LastModifiedTime) || said.LastModifiedTime != now.LastModifiedTime || a.ItemVersion() != now.Version {
					t.Errorf("PutFile says %q, %q and CheckFileInfo %q, %q", said.LastModifiedTime, a.ItemVersion(), now.LastModifiedTime, now.Version)
				}
				if now.Version == last.Version || now.LastModifiedTime == last.LastModifiedTime {
					t.Errorf("a save has left %s, %s", now.Version, now.LastModifiedTime)
				}
				last = now
			}
			h.expect(http.StatusOK)(s.Close(ctx))
			if now := h.info(c); now.Version != last.Version || now.LastModifiedTime != last.LastModifiedTime {
				t.Errorf("Unlock has made %s of %s", now.Version, last.Version)
			}
			h.wantOnly("a.txt", "b.txt") // no copy beside it: every save was an ordinary one
		})
	}
}

// strangeRequests are answered as they should be, and change nothing.
func (h *house) strangeRequests(c *office.Client) {
	h.t.Helper()
	ctx := h.t.Context()
	part, err := c.Do(ctx, http.MethodGet, "/contents", "", map[string]string{"Range": "bytes=2-4"}, nil)
	a := h.expect(http.StatusOK)(part, err)
	if string(a.Body) != before || a.Header.Get("Content-Range") != "" {
		h.t.Errorf("GetFile of a range: %q, Content-Range %q", a.Body, a.Header.Get("Content-Range"))
	}
	for _, override := range []string{"COBALT", "PUT_CHUNKS", "get_lock "} {
		h.expect(http.StatusNotImplemented)(c.Do(ctx, http.MethodPost, "", override, nil, nil))
	}
	h.expect(http.StatusConflict)(c.PutFile(ctx, "", []byte("without a lock"), nil))
	elsewhere := *c
	elsewhere.WOPISrc = h.urls.WOPISrc(h.at("/b.txt").ID)
	if a, err := elsewhere.GetFile(ctx, -1); err != nil || a.Status != http.StatusUnauthorized && a.Status != http.StatusNotFound {
		h.t.Errorf("another file with this token: %s, %v", a, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.web.URL+"/wopi/files/"+c.WOPISrc[strings.LastIndexByte(c.WOPISrc, '/')+1:], nil)
	h.must(err)
	for _, name := range []string{"davwopi", "__Host-davwopi", "auth", "access_token"} {
		req.AddCookie(&http.Cookie{Name: name, Value: c.AccessToken})
	}
	res, err := h.web.Client().Do(req)
	h.must(err)
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		h.t.Errorf("the token as a cookie: %s", res.Status)
	}
}
