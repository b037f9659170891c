package upstream

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"davwopi/davbackend/dav"
)

// The quirks of entity tags and conditions. The server behind has tags of its own:
// what is shown outside is made of them, and conditions are translated back.

// changesETags reports whether tags are shown otherwise than the server has them.
func (q Quirks) changesETags() bool {
	return q.WeakETags || q.WeakFor > 0 || q.SecondETags || q.TimeETags || q.FileETags || q.CopyKeepsETag || q.MoveNewETag
}

// shown is the tag of what was looked at, as it is shown outside.
func (x *exchange) shown(res seen) dav.ETag {
	tag := x.strong(res)
	if tag != "" && x.weak(res) {
		return "W/" + tag
	}
	return tag
}

func (x *exchange) strong(res seen) dav.ETag {
	tag := res.ETag
	switch same := x.s.copied(tag); {
	case tag == "":
		return ""
	case x.q.CopyKeepsETag && same != "":
		tag = same
	case x.q.SecondETags:
		tag = dav.ETag(fmt.Sprintf(`"%x-%x"`, res.Modified.Unix(), res.Size))
	case x.q.TimeETags:
		if i, err := os.Stat(x.s.disk(res.Path)); err == nil {
			tag = dav.ETag(fmt.Sprintf(`"%x%x"`, i.ModTime().UnixNano(), i.Size()))
		}
	case x.q.FileETags:
		tag = digest(x.s.nativeID(res.ResourceID), fmt.Sprint(res.Modified.Unix(), res.Size))
	}
	if x.q.MoveNewETag {
		tag = digest(string(res.Path), string(tag))
	}
	return tag
}

func (x *exchange) weak(res seen) bool {
	return x.q.WeakETags || x.q.WeakFor > 0 && time.Since(res.Modified) < x.q.WeakFor
}

func digest(parts ...string) dav.ETag {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return dav.ETag(`"` + hex.EncodeToString(sum[:8]) + `"`)
}

var tagInHeader = regexp.MustCompile(`(W/)?"[^"]*"`)

const noTag = `"of nothing that is here"`

// conditions lets the quirks judge If-Match, If-None-Match and the ETags of If.
func (x *exchange) conditions() int {
	h, q := x.r.Header, x.q
	ifMatch := h.Get("If-Match")
	switch {
	case ifMatch == "":
	case q.PutConditionsOnly && x.r.Method != http.MethodPut, q.IfMatchCreates && !x.before().found:
		h.Del("If-Match")
		ifMatch = ""
	case q.ETagConflict && ifMatch != string(x.shown(x.before())):
		return http.StatusConflict
	}
	if q.IgnoreIfNoneMatch {
		h.Del("If-None-Match")
	}
	if q.changesETags() {
		if ifMatch != "" && ifMatch != "*" && x.weak(x.before()) {
			return http.StatusPreconditionFailed
		}
		x.translate()
	}
	if q.IfETagFails && len(x.cond) > 0 && !slices.ContainsFunc(x.cond, hasToken) {
		return http.StatusPreconditionFailed
	}
	if q.IgnoreConditions {
		h.Del("If-Match")
		h.Del("If-None-Match")
		x.cond = withoutETags(x.cond)
	}
	x.sendCond()
	return 0
}

func hasToken(l dav.IfList) bool {
	return slices.ContainsFunc(l.Conditions, func(c dav.Condition) bool { return c.Token != "" })
}

// translate puts the server's own tags in place of those that are shown.
func (x *exchange) translate() {
	for _, name := range []string{"If-Match", "If-None-Match"} {
		v := x.r.Header.Get(name)
		if v == "" || v == "*" {
			continue
		}
		x.r.Header.Set(name, tagInHeader.ReplaceAllStringFunc(v, func(tag string) string {
			return x.own(x.before(), dav.ETag(tag))
		}))
	}
	for i, l := range x.cond {
		about := x.before()
		if p, err := dav.ParseHref(l.Tag, x.s.base()); l.Tag != "" && err == nil && p != x.path {
			about = x.s.look(p)
		}
		for k, c := range l.Conditions {
			if c.ETag != "" {
				x.cond[i].Conditions[k].ETag = dav.ETag(x.own(about, c.ETag))
			}
		}
	}
}

func (x *exchange) own(res seen, tag dav.ETag) string {
	if tag.Same(x.shown(res)) {
		return string(res.ETag)
	}
	return noTag
}

// sendCond makes If what became of it.
func (x *exchange) sendCond() {
	if x.r.Header.Get("If") == "" {
		return
	}
	if len(x.cond) == 0 {
		x.r.Header.Del("If")
		return
	}
	x.r.Header.Set("If", x.cond.String())
}

// withoutETags drops entity tags, and lists that held nothing else.
func withoutETags(lists dav.If) dav.If {
	var kept dav.If
	for _, l := range lists {
		l.Conditions = slices.DeleteFunc(l.Conditions, func(c dav.Condition) bool { return c.ETag != "" })
		if len(l.Conditions) > 0 {
			kept = append(kept, l)
		}
	}
	return kept
}

// folderETag is the tag of a collection.
func (x *exchange) folderETag(p dav.Path) dav.ETag {
	sum := sha256.New()
	note := func(path string, i fs.FileInfo, err error) {
		if err == nil && !strings.HasPrefix(i.Name(), ".localdav-") {
			fmt.Fprintln(sum, path, i.Size(), i.ModTime().UnixNano())
		}
	}
	root := x.s.disk(p)
	if x.q.FolderETag == "tree" || x.q.FolderETag == "near" {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error { // what is gone meanwhile is not in it
			if x.q.FolderETag == "near" && strings.Count(path[len(root):], "/") > 2 {
				return nil
			}
			if err == nil && !d.IsDir() {
				i, err := d.Info()
				note(path, i, err)
			}
			return nil
		})
	} else if entries, err := os.ReadDir(root); err == nil {
		for _, d := range entries {
			if !d.IsDir() {
				i, err := d.Info()
				note(d.Name(), i, err)
			} else {
				fmt.Fprintln(sum, d.Name())
			}
		}
	}
	return dav.ETag(`"` + hex.EncodeToString(sum.Sum(nil)[:8]) + `"`)
}
