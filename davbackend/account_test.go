package davbackend_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// finder is a client that knows an address only.
func finder(t *testing.T, address string) *davbackend.Client {
	t.Helper()
	c := &davbackend.Client{Base: parse(t, address), Discover: true, Assumed: davbackend.Unknown}
	t.Cleanup(c.CloseIdle)
	return c
}

// TestRootOfACloud: whatever address of a cloud is configured, everybody's root is the
// top of their own files, by the user ID, which is not the name they sign in with.
func TestRootOfACloud(t *testing.T) {
	for _, kind := range []struct {
		name  string
		start func(testing.TB, string) *upstream.Cloud
	}{{"Nextcloud", upstream.Nextcloud}, {"ownCloud", upstream.OwnCloud}, {"OpenCloud", upstream.OpenCloud}} {
		for _, at := range []string{"", "/cloud"} {
			cloud := kind.start(t, at)
			cloud.Write(t, "of ann.txt", "a")
			cloud.Write(t, "Docs/in.txt", "in")
			id := "Ben"
			if kind.name == "OpenCloud" {
				id = "ben@example.org" // tells no principal: user IDs are the names
			}
			ben := cloud.AddAccount(t, "ben@example.org", id, "ben's")
			ben.Write(t, "of ben.txt", "b")
			for _, address := range []string{"", "index.php", "index.php/apps/files", "remote.php", "remote.php/webdav", "remote.php/webdav/",
				"remote.php/dav", "remote.php/dav/files/"} {
				t.Run(kind.name+at+"/"+address, func(t *testing.T) {
					c := finder(t, cloud.Base+address)
					for name, v := range map[string]*davbackend.View{"of ann.txt": c.As(cloud.Credential()), "of ben.txt": c.As(ben.Credential())} {
						if res, err := v.Stat(t.Context(), "/"+dav.Path(name)); err != nil || res.NativeID == "" {
							t.Errorf("%s: %+v, %v", name, res, err)
						}
						put(t, v, "/new (1) & 2.txt", "new")
						if err := v.Move(t.Context(), "/new (1) & 2.txt", "/moved.txt", false, davbackend.Condition{}, davbackend.Condition{}); err != nil {
							t.Error(err)
						}
						if err := v.Delete(t.Context(), "/moved.txt", davbackend.Condition{}); err != nil {
							t.Error(err)
						}
						listed := names(t, v, "/")
						if len(listed) != 1 && len(listed) != 2 || !strings.Contains(strings.Join(listed, " "), name) {
							t.Errorf("listed %q", listed)
						}
					}
				})
			}
			t.Run(kind.name+at+", a folder of everybody's", func(t *testing.T) {
				v := finder(t, cloud.Base+"remote.php/webdav/Docs").As(cloud.Credential())
				if res, err := v.Stat(t.Context(), "/in.txt"); err != nil || res.Size != 2 {
					t.Error(res, err)
				}
			})
			t.Run(kind.name+at+", named", func(t *testing.T) {
				cloud.Forget()
				v := finder(t, cloud.URL+"Docs").As(cloud.Credential())
				if res, err := v.Stat(t.Context(), "/in.txt"); err != nil || res.Size != 2 {
					t.Error(res, err)
				}
				if n := len(cloud.Requests()); n > 2 { // one of them the challenge
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

// TestOwnRoot: where the same path is another file for somebody else. A cloud that tells
// no user ID, and whose IDs are not the names, has one address for everybody's files.
func TestOwnRoot(t *testing.T) {
	cloud := upstream.OpenCloud(t, "")
	cloud.Write(t, "a", "one")
	ben := cloud.AddAccount(t, "ben@example.org", "another", "ben's")
	ben.Write(t, "a", "ben's own")
	plain := upstream.Strict(t)
	plain.Write(t, "a", "one")
	for _, c := range []struct {
		address string
		cred    davbackend.Credential
		own     bool
		size    int64
	}{
		{cloud.Base, cloud.Credential(), true, 3},
		{cloud.Base, ben.Credential(), true, 9},
		{cloud.Base + "remote.php/webdav/", ben.Credential(), true, 9},
		{cloud.URL, cloud.Credential(), false, 3},
		{plain.URL, plain.Credential(), false, 3},
	} {
		v := finder(t, c.address).As(c.cred)
		if own, err := v.OwnRoot(t.Context()); err != nil || own != c.own {
			t.Errorf("%s for %s: %v, %v", c.address, c.cred, own, err)
		}
		if res := stat(t, v, "/a"); res.Size != c.size {
			t.Errorf("%s for %s: %+v", c.address, c.cred, res)
		}
	}
}

// TestRootOfACloudErrors: a wrong password is a wrong password, an outage an outage;
// neither is remembered.
func TestRootOfACloudErrors(t *testing.T) {
	cloud := upstream.Nextcloud(t, "")
	c := finder(t, cloud.Base)
	wrong := c.As(davbackend.Credential{Kind: "password", User: "ann", Secret: "wrong"})
	if _, err := wrong.Stat(t.Context(), "/"); !errors.Is(err, dav.ErrUnauthorized) {
		t.Error(err)
	}
	cloud.Maintain("120")
	if _, err := c.As(cloud.Credential()).Stat(t.Context(), "/"); !errors.Is(err, dav.ErrUnavailable) {
		t.Error(err)
	}
	cloud.Maintain("")
	v := c.As(cloud.Credential())
	if _, err := v.Stat(t.Context(), "/"); err != nil {
		t.Error(err)
	}
	cloud.Forget()
	for range 3 {
		if _, err := c.As(cloud.Credential()).Stat(t.Context(), "/"); err != nil {
			t.Error(err)
		}
	}
	if n := len(cloud.Requests()); n != 3 {
		t.Errorf("%d requests for three looks", n)
	}
}

// TestRootIsLookedForOnce: a crowd with one credential asks once.
func TestRootIsLookedForOnce(t *testing.T) {
	cloud := upstream.Nextcloud(t, "")
	c := finder(t, cloud.Base)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := c.As(cloud.Credential()).Stat(t.Context(), "/"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	asked := 0
	for _, r := range cloud.Requests() {
		if strings.HasSuffix(r.Path, "/remote.php/dav/") && r.Status == http.StatusMultiStatus {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("the principal was asked for %d times", asked)
	}
}

// TestWaitingForTheRootEnds: who waits for somebody else's look may give up.
func TestWaitingForTheRootEnds(t *testing.T) {
	began, end := make(chan bool, 1), make(chan bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- true
		<-end
	}))
	defer server.Close()
	defer close(end)
	c := finder(t, server.URL)
	first, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() { _, _ = c.As(davbackend.Credential{}).Stat(first, "/") })
	<-began
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.As(davbackend.Credential{}).Stat(gone, "/"); !errors.Is(err, dav.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestRootOfAnOrdinaryServer costs one request in all, whoever asks.
func TestRootOfAnOrdinaryServer(t *testing.T) {
	s := upstream.Strict(t)
	s.Write(t, "a", "one")
	s.Quirks.AddUser("ben", "ben's")
	c := finder(t, s.URL)
	ann, ben := c.As(s.Credential()), davbackend.Credential{Kind: "password", User: "ben", Secret: "ben's"}
	if _, err := ann.Stat(t.Context(), "/a"); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Requests()); n != 3 { // challenge, root, file
		t.Errorf("%d requests", n)
	}
	s.Forget()
	if _, err := c.As(ben).Stat(t.Context(), "/a"); err != nil || len(s.Requests()) != 1 {
		t.Error(err, len(s.Requests()))
	}
	if _, err := c.As(ben).ByNativeID(t.Context(), "7"); !errors.Is(err, dav.ErrUnsupported) || len(s.Requests()) != 1 {
		t.Error(err, len(s.Requests()))
	}
}

// TestWellKnown: an address at which there is nothing but /.well-known/webdav.
func TestWellKnown(t *testing.T) {
	cloud := upstream.Nextcloud(t, "/next cloud")
	cloud.Write(t, "a", "one")
	host := parse(t, cloud.Base).Host
	c := func() *davbackend.View { return finder(t, "http://"+host).As(cloud.Credential()) }
	for _, location := range []string{
		"http://" + host + "/next%20cloud/remote.php/dav/",
		"https://" + host + "/next%20cloud/remote.php/webdav", // behind a proxy, or in front of one
		"/next%20cloud/remote.php/dav",
	} {
		cloud.WellKnown(location)
		if res, err := c().Stat(t.Context(), "/a"); err != nil || res.Size != 3 {
			t.Errorf("%s: %+v, %v", location, res, err)
		}
	}
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	cloud.WellKnown(strings.Replace(other.URL, "127.0.0.1", "localhost", 1) + "/remote.php/dav/")
	_, err := c().Stat(t.Context(), "/a")
	var u *davbackend.UnavailableError
	if !errors.As(err, &u) || !strings.Contains(u.Reason, "http://localhost:") || elsewhere.Load() != 0 {
		t.Errorf("another host: %v, asked %d times", err, elsewhere.Load())
	}
	cloud.WellKnown("")
	if _, err := c().Stat(t.Context(), "/a"); !errors.Is(err, dav.ErrUnsupported) {
		t.Errorf("nothing anywhere: %v", err) // what the address itself says: 405
	}
}

// TestHostilePrincipal: what a server says of a user ID never leads out of its files.
func TestHostilePrincipal(t *testing.T) {
	for _, href := range []string{"http://evil.example/remote.php/dav/principals/users/ben", "/remote.php/dav/principals/users/..%2f..",
		"/remote.php/dav/principals/users/../../x", "/other/ben", "", strings.Repeat("x", 10_000), "/remote.php/dav/principals/users/a%0d%0ab"} {
		var uris []string
		var mu sync.Mutex
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			uris = append(uris, r.RequestURI)
			mu.Unlock()
			if r.URL.Path != "/remote.php/dav/" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			w.WriteHeader(http.StatusMultiStatus)
			_, _ = w.Write([]byte(`<multistatus xmlns="DAV:"><response><href>/remote.php/dav/</href><propstat><prop><current-user-principal><href>` +
				href + `</href></current-user-principal></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>`))
		}))
		v := finder(t, server.URL+"/remote.php/dav").As(davbackend.Credential{Kind: "bearer", Secret: "t"})
		if _, err := v.Stat(t.Context(), "/a"); !errors.Is(err, dav.ErrNotFound) {
			t.Errorf("%.60q: %v", href, err)
		}
		for _, uri := range uris {
			if strings.Contains(uri, "..") || strings.Contains(uri, "%0") || strings.Contains(uri, "%2") {
				t.Errorf("%.60q: asked %s", href, uri)
			}
		}
		server.Close()
	}
}
