package profile

import (
	"context"
	"fmt"
	"net/http"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// The steps about dead properties and what COPY and MOVE make of a file.

// stamp is the dead property that is tried.
var stamp = dav.PropName{Space: "urn:davwopi:probe", Local: "stamp"}

// setStamp tries to keep a dead property at p. It says "stored", "refused" or
// "pretended".
func (m *measuring) setStamp(ctx context.Context, p dav.Path, value string) (string, error) {
	a, err := m.v.Raw(ctx, davbackend.Raw{
		Method: "PROPPATCH", Path: p, XML: dav.ProppatchBody(map[dav.PropName]string{stamp: value}, nil),
	})
	if err != nil {
		return "", err
	}
	res, ok, err := m.look(ctx, p, stamp)
	switch {
	case err != nil || !ok:
		return "", err
	case res.Props[stamp] == value:
		return "stored", nil
	case claims(a, p):
		return "pretended", nil
	}
	return "refused", nil
}

// claims reports whether the answer to a PROPPATCH says that the stamp was set: by the
// status of the property, or by a plain success (lighttpd).
func claims(a davbackend.RawAnswer, p dav.Path) bool {
	if a.Status != http.StatusMultiStatus {
		return a.OK()
	}
	said, _, ok := a.Resource(p)
	_, set := said.Props[stamp]
	return ok && set
}

// properties tries whether one is kept, and whether that makes other contents of the
// file: a stamp on it would look like an edit.
func (m *measuring) properties(ctx context.Context) error {
	before, _, err := m.look(ctx, m.file)
	if err != nil {
		return err
	}
	if m.f.DeadProps, err = m.setStamp(ctx, m.file, "of the document"); err != nil || m.f.DeadProps != "stored" {
		return err
	}
	now, ok, err := m.look(ctx, m.file)
	if err == nil && ok && (after(now.ETag, before.ETag) == "another" || !now.Modified.Equal(before.Modified)) {
		m.f.DeadProps = "stored, as an edit"
	}
	return err
}

// transfer is a MOVE or COPY in its plainest form.
func (m *measuring) transfer(ctx context.Context, method string, from, to dav.Path, overwrite string, header ...string) (davbackend.RawAnswer, error) {
	return m.raw(ctx, method, from, append(header, "Destination", m.v.URL(to, false), "Overwrite", overwrite)...)
}

// after says what became of a tag on the way to another place.
func after(there, before dav.ETag) string {
	switch {
	case there == "" || before == "":
		return "none"
	case there.Same(before):
		return "kept"
	}
	return "another"
}

func (m *measuring) copying(ctx context.Context) error {
	before, _, err := m.look(ctx, m.file)
	if err != nil {
		return err
	}
	to := child(m.dir, "copy.txt")
	if a, err := m.transfer(ctx, "COPY", m.file, to, "T"); err != nil || !a.OK() {
		return err
	}
	there, ok, err := m.look(ctx, to, stamp)
	if err != nil || !ok {
		return err
	}
	m.f.ETagAfterCopy = after(there.ETag, before.ETag)
	m.f.PropsCopied = there.Props[stamp] != ""
	a, err := m.transfer(ctx, "MOVE", to, m.file, "F")
	if err != nil {
		return err
	}
	switch {
	case a.OK():
		m.f.OverwriteF = "ignored"
		_, err = m.transfer(ctx, "COPY", m.file, to, "T") // the next step needs it
	case isCondition(a.Status):
		m.f.OverwriteF = "honoured"
	}
	return err
}

func (m *measuring) moving(ctx context.Context) error {
	from, to := child(m.dir, "copy.txt"), child(m.dir, "moved.txt")
	before, ok, err := m.look(ctx, from)
	if err != nil || !ok {
		return err
	}
	if a, err := m.transfer(ctx, "MOVE", from, to, "F"); err != nil || !a.OK() {
		return err
	}
	there, ok, err := m.look(ctx, to)
	if err != nil || !ok {
		return err
	}
	m.f.ETagAfterMove = after(there.ETag, before.ETag)
	return nil
}

// movingOver moves a new file over the document, as a save does that replaces it.
func (m *measuring) movingOver(ctx context.Context) error {
	if m.f.DeadProps != "stored" {
		return nil
	}
	if _, err := m.setStamp(ctx, m.file, "of the target"); err != nil {
		return err
	}
	a, err := m.moveOver(ctx)
	if err != nil || !a.OK() {
		return err
	}
	there, ok, err := m.look(ctx, m.file, stamp)
	if err != nil || !ok {
		return err
	}
	m.f.PropsMovedOver = "lost"
	if there.Props[stamp] == "of the target" {
		m.f.PropsMovedOver = "kept"
	}
	return nil
}

// moveOver uploads a temporary file and moves it onto the document.
func (m *measuring) moveOver(ctx context.Context, header ...string) (davbackend.RawAnswer, error) {
	m.n++
	temp := child(m.dir, fmt.Sprintf("temporary %d.txt", m.n))
	if a, err := m.put(ctx, temp); err != nil || !a.OK() {
		return a, err
	}
	return m.transfer(ctx, "MOVE", temp, m.file, "T", header...)
}

// folders moves a folder with a file in it, without the trailing slash first.
func (m *measuring) folders(ctx context.Context) error {
	from, to := child(m.dir, "folder"), child(m.dir, "moved folder")
	if err := m.v.Mkcol(ctx, from); err != nil {
		return m.onlyOutage(err)
	}
	inside := child(from, "inside.txt")
	if a, err := m.put(ctx, inside); err != nil || !a.OK() {
		return err
	}
	if m.f.DeadProps == "stored" {
		if _, err := m.setStamp(ctx, inside, "inside"); err != nil {
			return err
		}
	}
	if err := m.folderTags(ctx, from); err != nil {
		return err
	}
	a, err := m.transfer(ctx, "MOVE", from, to, "F")
	if err != nil {
		return err
	}
	if !a.OK() {
		m.f.MoveSlash = a.Status
		if err := m.v.Move(ctx, from, to, false, davbackend.Condition{}, davbackend.Condition{}); err != nil {
			return m.onlyOutage(err)
		}
	}
	there, ok, err := m.look(ctx, child(to, "inside.txt"), stamp)
	if err != nil || !ok {
		return err
	}
	m.f.PropsWithFolder = there.Props[stamp] != ""
	a, err = m.v.Raw(ctx, davbackend.Raw{Method: "PROPFIND", Path: to, Header: headers([]string{"Depth", "0"}),
		XML: dav.PropfindBody([]dav.PropName{dav.PropResourceType})})
	if err == nil && a.Status != http.StatusMultiStatus && a.Status != http.StatusOK {
		m.f.PropfindSlash = a.Status
	}
	return err
}

// folderTags finds out how far up a change shows in the tags of folders: in that of its
// own folder, or in those of all folders above it, whatever the change and however deep.
func (m *measuring) folderTags(ctx context.Context, folder dav.Path) error {
	own, above, err := m.bothTags(ctx, folder)
	if err != nil || own == "" {
		return m.onlyOutage(err)
	}
	if a, err := m.put(ctx, child(folder, "another.txt")); err != nil || !a.OK() {
		return err
	}
	own2, above2, err := m.bothTags(ctx, folder)
	if err != nil || own.Same(own2) {
		return m.onlyOutage(err)
	}
	m.f.FolderETag = "own children"
	if above.Same(above2) {
		return nil
	}
	deep := child(folder, "deep")
	if err := m.v.Mkcol(ctx, deep); err != nil {
		return m.onlyOutage(err)
	}
	from := child(deep, "a.txt")
	if a, err := m.put(ctx, from); err != nil || !a.OK() {
		return err
	}
	if own, above, err = m.bothTags(ctx, folder); err != nil {
		return m.onlyOutage(err)
	}
	if a, err := m.transfer(ctx, "MOVE", from, child(deep, "b.txt"), "F"); err != nil || !a.OK() {
		return err
	}
	if own2, above2, err = m.bothTags(ctx, folder); err != nil {
		return m.onlyOutage(err)
	}
	if !own.Same(own2) && !above.Same(above2) {
		m.f.FolderETag = "whole tree"
	}
	return nil
}

// bothTags are the ETags of a folder in ours, and of ours.
func (m *measuring) bothTags(ctx context.Context, folder dav.Path) (own, above dav.ETag, err error) {
	res, err := m.v.Stat(ctx, folder)
	if err != nil {
		return "", "", err
	}
	parent, err := m.v.Stat(ctx, m.dir)
	return res.ETag, parent.ETag, err
}

// chunks asks whether files can be uploaded in pieces beside the files.
func (m *measuring) chunks(ctx context.Context) error {
	_, err := m.v.Uploads(ctx, prefix)
	m.f.Chunks = err == nil
	return m.onlyOutage(err)
}

// onlyOutage lets a refusal pass: what it prevented stays unknown.
func (m *measuring) onlyOutage(err error) error {
	if unreachable(err) {
		return err
	}
	return nil
}
