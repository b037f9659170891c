package wire

import (
	"net/http"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/davbackend/profile"
	"davwopi/oauth"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// changing are the methods that a reader is refused.
var changing = map[string]bool{"PUT": true, "DELETE": true, "MKCOL": true, "MOVE": true, "COPY": true, "LOCK": true, "PROPPATCH": true}

// readers makes Ben one who may only read, as the server enforces it and as its
// privileges say; truth false is a server that says so of everybody.
func readers(h *house, truth bool) {
	h.server.Quirks.AddUser("ben", "pw")
	h.must(h.creds.Put(h.t.Context(), ben.Key(), "main", oauth.Secret{Kind: "password", User: "ben", Secret: "pw"}))
	h.server.Quirks.Set(func(q *upstream.Quirks) {
		q.Privileges = func(user string, _ dav.Path) []string {
			if user == "ben" || !truth {
				return []string{"read"}
			}
			return []string{"all"}
		}
		q.Answer = func(r *http.Request) http.Handler {
			if user, _, _ := r.BasicAuth(); user != "ben" || !changing[r.Method] {
				return nil
			}
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
		}
	})
	f, err := profile.Measure(h.t.Context(), h.view(anna), nil)
	h.must(err)
	h.client.Learn(f.Profile())
}

// TestPrivilegesOfAReader: what the server says about a person is what editors are told,
// by the one look that they cost anyhow; what a reader sends changes nothing, with
// somebody else's lock, too.
func TestPrivilegesOfAReader(t *testing.T) {
	o := newOffices(t)
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			h := newHouse(t, o, davbackend.Embedded, func(h *house) { h.perUser = true })
			readers(h, true)
			h.server.Write(t, "a/x.docx", before)
			h.server.Write(t, "a/empty.docx", "")
			x, empty := h.at("/a/x.docx"), h.at("/a/empty.docx")
			ctx := t.Context()
			hers, his := h.open(x, kind, anna), h.open(x, kind, ben)
			for who, c := range map[bool]*office.Client{true: hers, false: his} {
				_, err := c.CheckFileInfo(ctx) // the first one of each learns how to sign in
				h.must(err)
				h.forgetLines(1)
				a, err := c.CheckFileInfo(ctx)
				h.must(err)
				var info wopi.CheckFileInfo
				h.must(a.JSON(&info))
				if info.UserCanWrite != who || info.ReadOnly == who || info.UserCanRename != who || info.UserCanNotWriteRelative == who || (info.HostEditUrl != "") != who {
					t.Errorf("writes %v: %+v", who, info)
				}
				if l := h.forgetLines(1)[0]; l.Trips != 1 {
					t.Errorf("%d requests", l.Trips)
				}
			}
			s, err := hers.Open(ctx)
			h.must(err)
			if s.ReadOnly {
				t.Fatal("Anna may not edit")
			}
			save := []byte("by a reader")
			refused := func(name string, want ...int) func(office.Answer, error) {
				return func(a office.Answer, err error) {
					t.Helper()
					h.must(err)
					for _, status := range want {
						if a.Status == status {
							return
						}
					}
					t.Errorf("%s: %s, want %v", name, a, want)
				}
			}
			refused("Lock", 404)(his.Lock(ctx, "his"))
			refused("Lock with her ID", 404)(his.Lock(ctx, s.LockID))
			refused("PutFile", 404, 409)(his.PutFile(ctx, "his", save, nil))
			refused("PutFile with her lock", 404)(his.PutFile(ctx, s.LockID, save, nil))
			refused("PutFile over an empty file", 404)(h.open(empty, kind, ben).PutFile(ctx, "", save, nil))
			refused("RenameFile", 501)(his.RenameFile(ctx, "", "other", nil))
			refused("RenameFile with her lock", 501)(his.RenameFile(ctx, s.LockID, "other", nil))
			refused("PutRelativeFile", 501)(his.PutRelativeSpecific(ctx, "copy.docx", false, save))
			refused("DeleteFile", 501, 409)(his.DeleteFile(ctx))
			for name, want := range map[string]string{"a/x.docx": before, "a/empty.docx": ""} {
				if got, there := h.server.Read(t, name); !there || got != want {
					t.Errorf("%s holds %q", name, got)
				}
			}
			for _, name := range []string{"a/copy.docx", "a/other.docx"} {
				if _, there := h.server.Read(t, name); there {
					t.Errorf("%s was made", name)
				}
			}
			if a, err := s.Save(ctx, []byte("by Anna"), true); err != nil || a.Status != http.StatusOK {
				t.Errorf("Anna's save: %s, %v", a, err)
			}
			_, err = s.Close(ctx)
			h.must(err)
		})
	}
}

// TestPrivilegesThatAreWrong: a server that says of everybody that they may only read is
// not believed once it was seen to take a file.
func TestPrivilegesThatAreWrong(t *testing.T) {
	h := newHouse(t, newOffices(t), davbackend.Embedded, func(h *house) { h.perUser = true })
	readers(h, false)
	h.server.Write(t, "x.docx", before)
	s, err := h.open(h.at("/x.docx"), wopi.Collabora, anna).Open(t.Context())
	h.must(err)
	if s.ReadOnly || !s.Info.UserCanWrite {
		t.Fatalf("locked out: %+v", s.Info)
	}
	if a, err := s.Save(t.Context(), []byte("saved"), true); err != nil || a.Status != http.StatusOK {
		t.Errorf("%s, %v", a, err)
	}
}
