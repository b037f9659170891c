package containers_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/test/rooms"
)

// Folders are renamed, made and deleted while a document in them is edited: nothing
// that was answered 200 is lost, nobody waits for ever, and in the end row and upstream
// agree.
func TestRenamesWhileADocumentIsEdited(t *testing.T) {
	h := rooms.New(t, nil, nil)
	main := h.Servers["main"]
	main.Write(t, "a/deep/x.docx", "0")
	main.Write(t, "a/other.docx", "0")
	a, deep := h.At("/a"), h.At("/a/deep")
	x := h.At("/a/deep/x.docx")
	file := h.Open(x, access.Grant{})
	const rounds = 12
	var all sync.WaitGroup
	rename := func(address, name string) {
		for i := range rounds {
			got := h.Post(address, wopi.OverrideRenameContainer, "", requested, fmt.Sprintf("%s%d", name, i%3))
			if got.Status != 200 && got.Status != 409 && got.Status != 500 {
				t.Errorf("RenameContainer: %d %v", got.Status, got.Header)
			}
		}
	}
	all.Go(func() { rename(h.Open(a, access.Grant{}), "a") })
	all.Go(func() { rename(h.Open(deep, access.Grant{}), "deep") })
	all.Go(func() { rename(h.Open(a, access.Grant{Principal: rooms.Ben}), "ben") })
	all.Go(func() {
		address := h.Open(deep, access.Grant{})
		for range rounds {
			var made wopi.RootContainer
			got := h.Post(address, wopi.OverrideCreateChildContainer, "", suggested, "new")
			if got.Status != 200 {
				continue
			}
			got.Into(t, &made)
			if got := h.Post(made.ContainerPointer.Url, wopi.OverrideDeleteContainer, ""); got.Status != 200 && got.Status != 500 && got.Status != 404 {
				t.Errorf("DeleteContainer: %d %v", got.Status, got.Header)
			}
		}
	})
	last, saved := "0", 0
	all.Go(func() {
		contents := strings.Replace(file, "?", "/contents?", 1)
		for i := range rounds {
			lock := fmt.Sprint("L", i)
			if h.Post(file, wopi.OverrideLock, "", wopi.HeaderLock, lock).Status != 200 {
				continue
			}
			h.Get(file, "contents")
			for j := range 3 {
				body := fmt.Sprintf("%d.%d", i, j)
				if got := h.Post(contents, wopi.OverridePut, body, wopi.HeaderLock, lock); got.Status == 200 {
					last, saved = body, saved+1
				}
			}
			h.Post(file, wopi.OverrideUnlock, "", wopi.HeaderLock, lock)
		}
	})
	all.Wait()
	known, err := h.IDs.Known(t.Context(), x.Space, x.ID)
	h.Must(err)
	if content, there := main.Read(t, strings.TrimPrefix(string(known.Path), "/")); !there || content != last || saved == 0 {
		t.Errorf("%s holds %q, the last of %d saves was %q", known.Path, content, saved, last)
	}
	found := 0
	for _, p := range []dav.Path{known.Path.Parent(), known.Path.Parent().Parent()} {
		h.Must(main.View(t).List(t.Context(), p, func(res dav.Resource) error {
			if strings.HasSuffix(res.Path.Base(), ".docx") {
				found++
			}
			return nil
		}))
	}
	if found != 2 {
		t.Errorf("%d documents, there were 2", found)
	}
	if got := h.Post(file, wopi.OverrideLock, "", wopi.HeaderLock, "last"); got.Status != 200 {
		t.Errorf("Lock in the end: %d %v", got.Status, got.Header)
	}
	if got := h.Post(file, wopi.OverrideUnlock, "", wopi.HeaderLock, "last"); got.Status != 200 {
		t.Errorf("Unlock in the end: %d", got.Status)
	}
	t.Logf("%d saves", saved)
}
