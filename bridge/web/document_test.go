package web_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/web"
	"davwopi/idmap"
)

// remarks are comments as the files endpoint keeps them, on one file.
func remarks(h *house, on func() string, list ...web.Comment) {
	h.Comments = func(_ context.Context, file idmap.FileID, limit int) ([]web.Comment, bool, error) {
		if string(file) != on() {
			return nil, false, nil
		}
		return list[:min(len(list), limit)], len(list) > limit, nil
	}
	h.Commented = func(_ context.Context, files []idmap.FileID) (map[idmap.FileID]bool, error) {
		return map[idmap.FileID]bool{idmap.FileID(on()): true}, nil
	}
}

func TestCommentsOnADocument(t *testing.T) {
	var id string
	h := newHouse(t, func(h *house) {
		remarks(h, func() string { return id },
			web.Comment{Name: `Ben <b>`, Text: "see <script>alert(1)</script>\nand row 4", At: time.Now(), Changed: true, Reply: true, For: strings.Split(strings.Repeat("Jo <i>,", 30), ",")},
			web.Comment{Name: "Anna", Text: "first", At: time.Now().Add(-time.Hour)})
	})
	h.up.Write(t, "Folder/a.txt", "hello")
	h.up.Write(t, "Folder/b.txt", "hello")
	b := h.person("anna")
	folder := "/folder/" + b.get("/").id(t, "Folder")
	list := b.get(folder)
	id = list.id(t, "a.txt")
	other := list.id(t, "b.txt")
	address := "/document/" + id

	list = b.get(folder)
	contains(t, list.body, `<a class="to-comments" href="`+address+`" title="Comments" aria-label="Comments on a.txt">`)
	if strings.Contains(list.body, `class="to-comments" href="/document/`+other) {
		t.Error("a file without comments has a way to them")
	}
	for _, page := range []string{"/edit/", "/view/"} {
		contains(t, b.get(page+id).body, "There are comments on this document.", `href="`+address+`" target="_blank"`)
		if got := b.get(page + other).body; strings.Contains(got, "There are comments") {
			t.Errorf("%s: comments where there are none", page)
		}
	}

	page := b.get(address)
	contains(t, page.body, `<bdi>a.txt</bdi>`, "Ben &lt;b&gt;", "see &lt;script&gt;alert(1)&lt;/script&gt;\nand row 4", " answered", ", changed", "for <bdi>Jo &lt;i&gt;</bdi>", "first",
		`href="/edit/`+id+`">Open`, `href="/view/`+id+`">View`, `href="/download/`+id+`"`, `href="`+folder+`">Back to the folder`)
	if n := strings.Count(page.body, "Jo &lt;i&gt;"); n != 10 {
		t.Errorf("%d people are mentioned", n)
	}
	if strings.Index(page.body, "Ben &lt;") > strings.Index(page.body, "first") {
		t.Error("the newest is not the first")
	}
	contains(t, b.get("/document/"+other).body, "No editor has told of comments")
	contains(t, b.get("/document/"+b.get("/").id(t, "Folder")).body, `href="`+folder+`">Open`, `aria-label="Folder"`)
	if got := h.browser().get(address); got.status != http.StatusSeeOther {
		t.Errorf("without a sign-in: %d", got.status)
	}
}

func TestManyCommentsAreCut(t *testing.T) {
	var id string
	h := newHouse(t, func(h *house) {
		var list []web.Comment
		for i := range 1000 {
			list = append(list, web.Comment{Name: "Anna", Text: fmt.Sprintf("number %d.", i)})
		}
		remarks(h, func() string { return id }, list...)
	})
	h.up.Write(t, "a.txt", "hello")
	b := h.person("anna")
	id = b.get("/").id(t, "a.txt")
	page := b.get("/document/" + id).body
	contains(t, page, "number 0.", "number 199.", "Older comments are in the document itself.")
	if strings.Contains(page, "number 200.") {
		t.Error("more than 200 comments on a page")
	}
}

// Who may not see a file is told nothing about it.
func TestCommentsOfHiddenFiles(t *testing.T) {
	var id string
	h := newHouse(t, func(h *house) {
		remarks(h, func() string { return id }, web.Comment{Name: "Anna", Text: "secret words"})
		h.Rules = access.Rules{{Who: []string{"ben"}, Path: "/a.txt", Rights: 0}}
	})
	h.up.Write(t, "a.txt", "hello")
	id = h.person("anna").get("/").id(t, "a.txt")
	if got := h.person("ben").get("/document/" + id); got.status != http.StatusNotFound || strings.Contains(got.body, "secret") || strings.Contains(got.body, "a.txt") {
		t.Errorf("%d", got.status)
	}
	contains(t, h.person("anna").get("/document/"+id).body, "secret words")
}
