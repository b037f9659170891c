package web_test

import (
	"net/http"
	"net/url"
	"testing"

	"davwopi/bridge/access"
	"davwopi/test/upstream"
)

// Everything that the pages do to files works on each server that is installed, and the
// files are there for others afterwards.
func TestFilesOnRealServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *upstream.Server{
		"Apache": upstream.Apache, "nginx": upstream.Nginx, "lighttpd": upstream.Lighttpd, "rclone": upstream.Rclone,
		"Nextcloud": func(t testing.TB) *upstream.Server { return upstream.Nextcloud(t, "").Server },
		"OpenCloud": func(t testing.TB) *upstream.Server { return upstream.OpenCloud(t, "").Server },
	} {
		t.Run(name, func(t *testing.T) {
			var up *upstream.Server
			h := newHouse(t, func(h *house) {
				up = start(t)
				service := up.Credential()
				h.Upstreams.List = []*access.Upstream{{Name: "main", DisplayName: name, Client: up.Client(t), Service: &service}}
			})
			h.up = up
			up.Write(t, "a b&ü.txt", "hello")
			b := h.person("anna")
			root := b.get("/")
			a, home := root.id(t, "a b&amp;ü.txt"), root.home(t)
			b.goOn(b.post("/folder/"+home+"/new", url.Values{"kind": {"folder"}, "name": {"neu & schön"}}))
			folder := b.get("/").id(t, "neu &amp; schön")
			b.goOn(b.post("/rename/"+a, url.Values{"name": {"c#%25.txt"}}))
			moved := b.goOn(b.post("/move/"+a, url.Values{"to": {folder}}))
			if h.stored("neu & schön/c#%25.txt") != "hello" || moved.id(t, "c#%25.txt") != a {
				t.Errorf("after rename and move: %q", h.stored("neu & schön/c#%25.txt"))
			}
			b.goOn(b.undo(moved))
			b.goOn(b.upload(folder, "", [2]string{"x.txt", "one"}, [2]string{"y.txt", ""}))
			x := b.get("/folder/"+folder).id(t, "x.txt")
			if b.goOn(b.upload(folder, "replace", [2]string{"x.txt", "newer"})).id(t, "x.txt") != x || h.stored("neu & schön/x.txt") != "newer" {
				t.Errorf("replaced: %q", h.stored("neu & schön/x.txt"))
			}
			if got := b.post("/rename/"+x, url.Values{"name": {"y.txt"}}); got.status != http.StatusConflict {
				t.Errorf("onto another: %d", got.status)
			}
			b.goOn(b.post("/rename/"+folder, url.Values{"name": {"alt"}}))
			if b.get("/folder/"+folder).id(t, "x.txt") != x {
				t.Error("what is in a renamed folder has another ID")
			}
			b.goOn(b.post("/delete/"+x, nil))
			b.goOn(b.post("/delete/"+folder, nil))
			if h.stored("alt/y.txt") != "" || h.stored("c#%25.txt") != "hello" {
				t.Error("it is not deleted, or more is")
			}
			if got := b.get("/folder/" + folder); got.status != http.StatusNotFound {
				t.Errorf("the folder: %d", got.status)
			}
		})
	}
}
