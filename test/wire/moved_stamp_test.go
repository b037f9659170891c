package wire

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// whisper hears what did no harm.
func (h *house) whisper(what string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.whispered = append(h.whispered, what+": "+err.Error())
}

// stampAt is what a file bears.
func (h *house) stampAt(p dav.Path) string {
	h.t.Helper()
	res, err := h.view(anna).Stat(h.t.Context(), p)
	h.must(err)
	return res.Stamp
}

// asked counts the requests of a method that got through.
func (h *house) asked(method string) int {
	n := 0
	for _, r := range h.server.Requests() {
		if r.Method == method && r.Status != http.StatusUnauthorized {
			n++
		}
	}
	return n
}

// TestEditedAndMovedWhileClosed: others edit a document and move it, by WebDAV. Where the
// upstream keeps properties and has no IDs it is known by its stamp, and nowhere else.
func TestEditedAndMovedWhileClosed(t *testing.T) {
	all := newOffices(t)
	stamped := map[string]bool{"apache": true, "lighttpd": true, "sabre": true, "wsgidav": true}
	for _, preset := range upstream.Presets() {
		if testing.Short() && preset.Name != "apache" && preset.Name != "nginx" {
			continue
		}
		t.Run(preset.Name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, all, davbackend.Unknown, nil)
			h.server.Quirks.Set(preset.Set)
			h.measure()
			defer h.complain(t)
			h.server.Write(t, "far/c.txt", "another")
			s, e := h.began("d/a.txt", wopi.Collabora)
			h.mustSave(s, "one")
			h.must(h.locks.Tend(t.Context()))
			h.mustSave(s, "two")
			_, err := s.Close(t.Context())
			h.must(err)
			h.settle()
			if got := h.stampAt("/d/a.txt"); stamped[preset.Name] != strings.Contains(got, string(e.ID)) {
				t.Fatalf("after the editing it bears %q", got)
			}
			view := h.view(anna)
			h.server.Write(t, "d/a.txt", "edited by others, at length")
			h.must(view.Move(t.Context(), "/d/a.txt", "/far/b.txt", false, davbackend.Condition{}, davbackend.Condition{}))
			found, _, err := h.ids.Find(t.Context(), h.space, e.ID, view)
			switch {
			case stamped[preset.Name] || strings.Contains(preset.Name, "cloud"):
				if err != nil || found.Path != "/far/b.txt" {
					t.Fatalf("found at %q, %v", found.Path, err)
				}
				next := h.reopened(found, wopi.Collabora)
				h.must(h.locks.Tend(t.Context()))
				h.mustSave(next, "three")
				h.wantFile("far/b.txt", "three")
			case !errors.Is(err, idmap.ErrMissing):
				t.Errorf("found at %q, %v", found.Path, err)
			}
		})
	}
}

// TestStampCosts: opening costs no request more, the keeper's pass two, once, and a save
// by temp and MOVE one, after which the file bears the next stamp.
func TestStampCosts(t *testing.T) {
	h := newHouse(t, newOffices(t), davbackend.Unknown, func(h *house) { h.quiet, h.blind = true, true })
	h.server.Quirks.Set(upstream.As("wsgidav"))
	h.measure()
	defer h.complain(t)
	h.server.Write(t, "a.txt", before)
	c := h.open(h.at("/a.txt"), wopi.Microsoft, anna)
	h.server.Forget()
	s, err := c.Open(t.Context())
	h.must(err)
	for _, l := range h.forgetLines(3) {
		if most := map[wopi.Operation]int{wopi.OpLock: 3}[l.Operation]; l.Trips > max(1, most) {
			t.Errorf("%s costs %d requests", l.Operation, l.Trips)
		}
	}
	if n := h.asked("PROPPATCH"); n != 0 {
		t.Errorf("%d PROPPATCH before anybody had to wait no more", n)
	}
	h.server.Forget()
	h.must(h.locks.Tend(t.Context()))
	if n, looks := h.asked("PROPPATCH"), h.asked("PROPFIND"); n != 1 || looks > 1 {
		t.Errorf("the keeper: %d PROPPATCH, %d PROPFIND", n, looks)
	}
	first := h.stampAt("/a.txt")
	h.mustSave(s, "one")
	h.forgetLines(1)
	second := h.stampAt("/a.txt")
	if first == "" || second == "" || first == second {
		t.Errorf("stamped %q, and after the save %q", first, second)
	}
	h.server.Forget()
	h.mustSave(s, "two")
	for _, l := range h.forgetLines(1) {
		if l.Trips > 5+1+1 {
			t.Errorf("a save costs %d requests", l.Trips)
		}
	}
	if n := h.asked("PROPPATCH"); n != 1 {
		t.Errorf("a save: %d PROPPATCH", n)
	}
	h.must(h.locks.Tend(t.Context()))
	h.server.Forget()
	h.must(h.locks.Tend(t.Context()))
	if n := h.asked("PROPPATCH"); n != 0 {
		t.Errorf("stamped again: %d PROPPATCH", n)
	}
}

// TestStampIsNeverInTheWay: it fails, and nobody notices; and where somebody only reads
// none is written.
func TestStampIsNeverInTheWay(t *testing.T) {
	all := newOffices(t)
	for _, status := range []int{http.StatusForbidden, http.StatusLocked, http.StatusInternalServerError, http.StatusInsufficientStorage} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, all, davbackend.Unknown, nil)
			h.server.Quirks.Set(upstream.As("apache"))
			h.measure()
			h.server.Quirks.Fail(upstream.Fault{Method: "PROPPATCH", Status: status})
			var open []*office.Session
			for _, name := range []string{"a.txt", "b.txt"} {
				s, _ := h.began(name, wopi.Collabora)
				open = append(open, s)
			}
			h.must(h.locks.Tend(t.Context()))
			for _, s := range open {
				h.mustSave(s, "the save")
				if a, err := s.Close(t.Context()); err != nil || a.Status != http.StatusOK {
					t.Errorf("Unlock: %v %v", a, err)
				}
			}
			h.wantFile("a.txt", "the save")
			h.mu.Lock()
			defer h.mu.Unlock()
			if len(h.whispered) != 1 || len(h.heard) != 0 {
				t.Errorf("whispered %q, said %q", h.whispered, h.heard)
			}
		})
	}
	t.Run("only read", func(t *testing.T) {
		h := newHouse(t, all, davbackend.Unknown, nil)
		h.server.Quirks.Set(upstream.As("apache"))
		h.measure()
		h.server.Write(t, "a.txt", before)
		e := h.at("/a.txt")
		h.server.Forget()
		token, _, err := h.tokens.Mint(t.Context(), access.Grant{
			File: e.ID, Space: h.space, Upstream: "main", Principal: anna, Session: "s", Rights: access.View, Editor: h.editor(wopi.Collabora),
		})
		h.must(err)
		c := h.offices[wopi.Collabora].Client(h.urls.WOPISrc(e.ID), token)
		c.HTTP = h.web.Client()
		if _, err := c.Open(t.Context()); err != nil {
			t.Logf("opening: %v", err)
		}
		h.must(h.locks.Tend(t.Context()))
		if n := h.asked("PROPPATCH"); n != 0 {
			t.Errorf("%d PROPPATCH", n)
		}
	})
}
