package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/test/office"
)

// Manners are how an office goes about an editing.
type manners struct {
	name string
	kind wopi.Office
	// unlockFirst: UNLOCK before the exit save (Collabora before July 2023).
	unlockFirst bool
}

var allManners = []manners{
	{"Collabora", wopi.Collabora, false},
	{"Collabora 22.05", wopi.Collabora, true},
	{"ONLYOFFICE", wopi.OnlyOffice, false},
	{"Microsoft", wopi.Microsoft, false},
	{"text editor", wopi.TextEditor, false},
}

// An episode is one editing of one file, and what must be true of it.
type episode struct {
	h    *house
	m    manners
	ctx  context.Context
	id   idmap.FileID
	c    *office.Client
	s    *office.Session
	dir  string // of the file, below the upstream's root
	name string // the file's, "" if a rename was not answered

	acked string   // contents of the last save that was answered 200
	tried []string // contents of saves since that were answered anything else, or not at all
	all   []string // of every save that was not answered 200
	acks  []string // of every one that was, after what was there before

	versions map[string]string // Version -> contents
	stamps   map[string]string // LastModifiedTime -> contents
	version  string            // what the file has now; "" unknown
	saved    int
}

const before = "what was there before"

func newEpisode(h *house, m manners) *episode {
	h.t.Helper()
	dir := m.name
	h.server.Write(h.t, dir+"/report.txt", before)
	h.server.Write(h.t, dir+"/other.txt", "somebody else's")
	e := h.at("/" + dir + "/report.txt")
	return &episode{
		h: h, m: m, ctx: h.t.Context(), id: e.ID, c: h.open(e, m.kind, anna), dir: dir, name: "report.txt", acked: before, acks: []string{before},
		versions: map[string]string{}, stamps: map[string]string{},
	}
}

// A step is one of the things that an office does.
type step struct {
	name string
	do   func(*episode)
}

// steps are a whole editing.
func (m manners) steps() []step {
	list := []step{
		{"open", (*episode).open},
		{"refresh", (*episode).refresh},
		{"save", func(e *episode) { e.save("the first save", false) }},
		{"autosave", func(e *episode) { e.save("the autosave, which is longer than the one before", false) }},
		{"rename", func(e *episode) { e.rename("renamed") }},
		{"save after the rename", func(e *episode) { e.save("saved again", false) }},
	}
	exit := step{"exit save", func(e *episode) { e.save("the exit save", true) }}
	unlock := step{"unlock", (*episode).unlock}
	if m.unlockFirst {
		return append(list, unlock, exit)
	}
	return append(list, exit, unlock)
}

// open may be tried again, as a person does who sees an error page.
func (e *episode) open() {
	s, err := e.c.Open(e.ctx)
	if err != nil || s.ReadOnly {
		return
	}
	e.s = s
	if string(s.Contents) != e.acked {
		e.h.t.Errorf("GetFile gave %q, want %q", s.Contents, e.acked)
	}
	e.is(s.Info.Version, s.Info.LastModifiedTime, e.acked)
	e.version = s.Info.Version
}

// opened makes sure that the editing has begun.
func (e *episode) opened() bool {
	if e.s == nil {
		e.open()
	}
	return e.s != nil
}

func (e *episode) refresh() {
	if !e.opened() {
		return
	}
	a, err := e.s.Refresh(e.ctx)
	e.unlikely("refresh", a, err)
	e.same(a, "Lock or RefreshLock")
}

func (e *episode) save(contents string, exit bool) {
	if !e.opened() {
		return
	}
	e.saved++
	contents = fmt.Sprintf("%s, number %d", contents, e.saved)
	a, err := e.s.Save(e.ctx, []byte(contents), exit)
	if err != nil || a.Status != http.StatusOK {
		e.tried, e.all = append(e.tried, contents), append(e.all, contents)
		e.version = "" // it may have landed
		e.unlikely("PutFile", a, err)
		return
	}
	var info wopi.PutFileInfo
	if err := a.JSON(&info); err != nil || info.LastModifiedTime == "" {
		e.h.t.Errorf("PutFile: 200 with %q", a.Body)
	}
	if _, known := e.versions[a.ItemVersion()]; known {
		e.h.t.Errorf("PutFile gave the Version %s again", a.ItemVersion())
	}
	e.acked, e.tried, e.version, e.acks = contents, nil, a.ItemVersion(), append(e.acks, contents)
	e.is(a.ItemVersion(), info.LastModifiedTime, contents)
}

func (e *episode) rename(stem string) {
	if !e.opened() {
		return
	}
	a, err := e.c.RenameFile(e.ctx, e.s.LockID, stem, nil)
	if err != nil || a.Status != http.StatusOK {
		e.name = ""
		e.unlikely("RenameFile", a, err)
		return
	}
	var info wopi.RenameFileInfo
	if err := a.JSON(&info); err != nil {
		e.h.t.Errorf("RenameFile: %v", err)
	}
	// A host may choose another name near the wanted one, and says which.
	e.name = strings.TrimSuffix(info.Name, ".txt") + ".txt"
}

func (e *episode) unlock() {
	if e.s == nil {
		return
	}
	a, err := e.s.Close(e.ctx)
	e.unlikely("Unlock", a, err)
	e.same(a, "Unlock")
}

// unlikely catches answers that are never right.
func (e *episode) unlikely(what string, a office.Answer, err error) {
	e.h.t.Helper()
	if err != nil {
		e.h.t.Errorf("%s: the bridge gave no answer: %v", what, err)
		return
	}
	switch a.Status {
	case 200, 401, 404, 409, 413, 500, 501:
	case 400:
		if what != "RenameFile" || a.Header.Get(wopi.HeaderInvalidFileNameError) == "" {
			e.h.t.Errorf("%s: answered %s", what, a)
		}
	default:
		e.h.t.Errorf("%s: answered %s", what, a)
	}
	if a.Status == http.StatusConflict {
		if _, there := a.Lock(); !there {
			e.h.t.Errorf("%s: 409 without X-WOPI-Lock", what)
		}
	}
}

// same checks that an operation tells the version that the file has.
func (e *episode) same(a office.Answer, what string) {
	e.h.t.Helper()
	if e.m.kind == wopi.OnlyOffice && e.inCopy(e.acked) {
		return // it was told the version of the conflict copy
	}
	if a.Status == http.StatusOK && e.version != "" && a.ItemVersion() != e.version {
		e.h.t.Errorf("%s says version %q, it is %q", what, a.ItemVersion(), e.version)
	}
}

// is remembers which contents a version has: it never has others.
func (e *episode) is(version, stamp, contents string) {
	e.h.t.Helper()
	for _, c := range []struct {
		what, key string
		all       map[string]string
	}{{"Version", version, e.versions}, {"LastModifiedTime", stamp, e.stamps}} {
		if had, known := c.all[c.key]; known && had != contents {
			e.h.t.Errorf("%s %s was %q and is %q", c.what, c.key, had, contents)
		}
		c.all[c.key] = contents
	}
}

// look asks for the file as the next person who opens it, and checks that all
// answers agree.
func (e *episode) look() string {
	e.h.t.Helper()
	c := e.h.open(idmap.Entry{ID: e.id}, wopi.Microsoft, ben)
	a, err := c.CheckFileInfo(e.ctx)
	if err != nil || a.Status != http.StatusOK {
		e.h.t.Errorf("CheckFileInfo afterwards: %v %v", a, err)
		return ""
	}
	var info wopi.CheckFileInfo
	e.h.must(a.JSON(&info))
	got, err := c.GetFile(e.ctx, -1)
	if err != nil || got.Status != http.StatusOK {
		e.h.t.Errorf("GetFile afterwards: %v %v", got, err)
		return ""
	}
	if got.ItemVersion() != info.Version {
		e.h.t.Errorf("GetFile has version %q, CheckFileInfo %q", got.ItemVersion(), info.Version)
	}
	if e.version != "" && info.Version != e.version {
		e.h.t.Errorf("version is %q, the last answer said %q", info.Version, e.version)
	}
	e.is(info.Version, info.LastModifiedTime, string(got.Body))
	if e.name != "" && info.BaseFileName != e.name {
		e.h.t.Errorf("the file is called %q, want %q", info.BaseFileName, e.name)
	}
	e.name = info.BaseFileName
	return string(got.Body)
}

// check is what must be true when everything has settled.
func (e *episode) check() {
	t := e.h.t
	t.Helper()
	if e.acked != before && e.m.kind == wopi.OnlyOffice && e.inCopy(e.acked) {
		// ONLYOFFICE is answered 200 for a conflict copy, with the copy's version.
		e.version, e.tried = "", append(e.all, e.acks...)
	}
	contents := e.look()
	if contents != e.acked && !slices.Contains(e.tried, contents) {
		t.Errorf("the file holds %q; the last save answered 200 was %q, tried since: %q", contents, e.acked, e.tried)
	}
	if disk, _ := e.h.server.Read(t, e.dir+"/"+e.name); disk != contents {
		t.Errorf("GetFile gives %q, the upstream has %q", contents, disk)
	}
	if entry := e.h.at("/" + e.dir + "/" + e.name); entry.ID != e.id {
		t.Errorf("the file has another ID")
	}
	if got, _ := e.h.server.Read(t, e.dir+"/other.txt"); got != "somebody else's" {
		t.Errorf("another file holds %q", got)
	}
	for _, c := range e.tried {
		if c != contents && !e.h.keeps(c) {
			t.Errorf("the save %q, which was not answered 200, is nowhere", c)
		}
	}
	e.tidy()
}

// inCopy reports whether a conflict copy holds contents.
func (e *episode) inCopy(contents string) bool {
	e.h.t.Helper()
	for _, name := range e.h.names() {
		if got, _ := e.h.server.Read(e.h.t, name); strings.HasPrefix(name, e.dir+"/") && strings.Contains(name, "(conflict ") && got == contents {
			return true
		}
	}
	return false
}

// tidy: nothing of ours is left on the upstream.
func (e *episode) tidy() {
	t := e.h.t
	t.Helper()
	for _, name := range e.h.names() {
		base := filepath.Base(name)
		switch {
		case !strings.HasPrefix(name, e.dir+"/"):
		case strings.HasPrefix(base, ".davwopi-"), strings.HasPrefix(base, ".~lock."):
			t.Errorf("%s is left on the upstream", name)
		case name == e.dir+"/"+e.name, name == e.dir+"/other.txt", strings.Contains(base, "(conflict "):
		default:
			t.Errorf("%s is on the upstream", name)
		}
	}
	res, err := e.h.view(anna).Stat(e.ctx, dav.Path("/"+e.dir+"/"+e.name))
	if err != nil {
		t.Errorf("the file: %v", err)
	}
	for _, l := range res.Locks {
		t.Errorf("a DAV lock of %q is left", l.Owner)
	}
	c := e.h.open(idmap.Entry{ID: e.id}, wopi.Microsoft, ben)
	if a, err := c.Lock(e.ctx, "the next one"); err != nil || a.Status != http.StatusOK {
		t.Errorf("the next one cannot lock the file: %v %v", a, err)
	}
	if a, err := c.Unlock(e.ctx, "the next one"); err != nil || a.Status != http.StatusOK {
		t.Errorf("the next one cannot unlock the file: %v %v", a, err)
	}
}

// names are the files on the upstream, below its root.
func (h *house) names() []string {
	h.t.Helper()
	var list []string
	err := filepath.WalkDir(h.server.Dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(h.server.Dir, p)
		list = append(list, filepath.ToSlash(rel))
		return err
	})
	h.must(err)
	return list
}

// keeps reports whether contents are anywhere: on the upstream or in the journal.
func (h *house) keeps(contents string) bool {
	h.t.Helper()
	for _, name := range h.names() {
		if got, _ := h.server.Read(h.t, name); got == contents {
			return true
		}
	}
	return len(h.journal(contents)) > 0
}

// journal lists the states of the entries that hold contents.
func (h *house) journal(contents string) []string {
	h.t.Helper()
	list, err := h.saves.List(h.t.Context())
	h.must(err)
	var found []string
	for _, e := range list {
		body, _, err := h.saves.Open(h.t.Context(), e.ID)
		if err != nil {
			h.t.Errorf("journal: entry %s: %v", e.ID, err)
			continue
		}
		got, err := io.ReadAll(body)
		h.must(errors.Join(err, body.Close()))
		if string(got) == contents {
			found = append(found, e.State)
		}
	}
	return found
}

// complain adds what the bridge said to a test that has failed.
func (h *house) complain(t *testing.T) {
	if !t.Failed() {
		return
	}
	for _, s := range h.said() {
		t.Log("  ", s)
	}
	for _, r := range h.server.Requests() {
		t.Logf("   %s %s %d", r.Method, r.Path, r.Status)
	}
}
