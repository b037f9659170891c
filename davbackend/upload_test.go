package davbackend_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// An uploading is an upload over "/d/a & b.txt", which is "one", of "new contents" in two
// chunks that have arrived.
func uploading(t *testing.T) (*upstream.Cloud, *davbackend.View, davbackend.Upload) {
	t.Helper()
	cloud := upstream.Nextcloud(t, "/cloud")
	cloud.Write(t, "d/a & b.txt", "one")
	v := cloud.View(t)
	u := davbackend.Upload{ID: "davwopi-test 1", Target: "/d/a & b.txt", Size: 12}
	if err := v.BeginUpload(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	for n, part := range []string{"new co", "ntents"} {
		if err := v.PutChunk(t.Context(), u, n+1, body(part)); err != nil {
			t.Fatal(err)
		}
	}
	return cloud, v, u
}

// TestUpload: Nextcloud's developer manual, "Chunked upload v2".
func TestUpload(t *testing.T) {
	cloud, v, u := uploading(t)
	if found, err := v.Uploads(t.Context(), "davwopi-"); err != nil || len(found) != 1 || found[0] != u.ID {
		t.Errorf("%q, %v", found, err)
	}
	if found, err := v.Uploads(t.Context(), "other"); err != nil || len(found) != 0 {
		t.Errorf("%q, %v", found, err)
	}
	was := stat(t, v, u.Target)
	lock, _, err := v.Lock(t.Context(), u.Target, davbackend.LockRequest{Owner: "ann", Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cond davbackend.Condition
		want error
	}{
		{"no token", davbackend.Condition{}, dav.ErrLocked},
		{"another token", davbackend.Condition{Token: "opaquelocktoken:other"}, dav.ErrChanged},
		{"another ETag", davbackend.Condition{Token: lock.Token, ETag: `"other"`}, dav.ErrChanged},
		{"a token that cannot be sent", davbackend.Condition{Token: "a b"}, dav.ErrChanged},
		{"a new file only", davbackend.Condition{Absent: true}, dav.ErrUnsupported},
	} {
		if err := v.FinishUpload(t.Context(), u, c.cond); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if got, _ := cloud.Read(t, "d/a & b.txt"); got != "one" {
			t.Fatalf("%s: the file holds %q", c.name, got)
		}
	}
	if err := v.FinishUpload(t.Context(), u, davbackend.Condition{Token: lock.Token, ETag: was.ETag}); err != nil {
		t.Fatal(err)
	}
	if got, _ := cloud.Read(t, "d/a & b.txt"); got != "new contents" || len(cloud.Uploads()) != 0 {
		t.Errorf("the file holds %q; uploads: %v", got, cloud.Uploads())
	}
	now := stat(t, v, u.Target)
	if now.NativeID != was.NativeID || now.ETag.Same(was.ETag) {
		t.Errorf("was %+v, is %+v", was, now)
	}
	if err := v.PutChunk(t.Context(), u, 3, body("x")); !errors.Is(err, dav.ErrNotFound) {
		t.Errorf("a chunk for no folder: %v", err)
	}
	if err := v.FinishUpload(t.Context(), u, davbackend.Condition{}); !errors.Is(err, dav.ErrNotFound) {
		t.Errorf("finished again: %v", err)
	}
	if err := v.DropUpload(t.Context(), u.ID); err != nil {
		t.Errorf("dropped when it is gone: %v", err)
	}
}

// TestUploadIncomplete: a chunk that did not arrive whole is noticed by the server.
func TestUploadIncomplete(t *testing.T) {
	cloud, v, u := uploading(t)
	if err := v.PutChunk(t.Context(), u, 2, body("nte")); err != nil {
		t.Fatal(err)
	}
	if err := v.FinishUpload(t.Context(), u, davbackend.Condition{}); !errors.Is(err, dav.ErrBadName) {
		t.Error(err)
	}
	if got, _ := cloud.Read(t, "d/a & b.txt"); got != "one" {
		t.Errorf("the file holds %q", got)
	}
	for _, n := range []int{0, -1, davbackend.MaxChunks + 1} {
		if err := v.PutChunk(t.Context(), u, n, body("x")); !errors.Is(err, dav.ErrUnsupported) {
			t.Errorf("chunk %d: %v", n, err)
		}
	}
	if err := v.DropUpload(t.Context(), u.ID); err != nil || len(cloud.Uploads()) != 0 {
		t.Error(err, cloud.Uploads())
	}
}

// TestUploadWithoutConditions: where they are not honoured, a look comes before.
func TestUploadWithoutConditions(t *testing.T) {
	cloud, _, u := uploading(t)
	c := cloud.Client(t)
	c.Assumed.Conditions = false
	v := c.As(cloud.Credential())
	if err := v.FinishUpload(t.Context(), u, davbackend.Condition{ETag: `"other"`}); !errors.Is(err, dav.ErrChanged) {
		t.Error(err)
	}
	if err := v.FinishUpload(t.Context(), u, davbackend.Condition{ETag: stat(t, v, u.Target).ETag}); err != nil {
		t.Error(err)
	}
	for _, r := range cloud.Requests() {
		if r.Method == "MOVE" && r.Header.Get("If") != "" {
			t.Errorf("a condition was sent: %s", r.Header.Get("If"))
		}
	}
}

// TestNoUploads: servers that do not know them say so without a trace.
func TestNoUploads(t *testing.T) {
	for _, s := range []*upstream.Server{upstream.Strict(t), upstream.OpenCloud(t, "").Server} {
		v := s.View(t)
		if err := v.BeginUpload(t.Context(), davbackend.Upload{ID: "x", Target: "/a", Size: 1}); !errors.Is(err, dav.ErrUnsupported) {
			t.Errorf("%s: %v", s.URL, err)
		}
		if _, err := v.Uploads(t.Context(), ""); !errors.Is(err, dav.ErrUnsupported) && !errors.Is(err, dav.ErrNotFound) {
			t.Errorf("%s: %v", s.URL, err)
		}
		for _, r := range s.Requests() {
			if strings.HasSuffix(s.URL, "/dav/") && r.Method == "MKCOL" || r.Status == http.StatusCreated {
				t.Errorf("%s was asked %s %s", s.URL, r.Method, r.Path)
			}
		}
	}
}
