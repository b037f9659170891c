package binary

import (
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// TestSavesWaitForApache: ONLYOFFICE and Collabora save while a real Apache is dead,
// and are told 200. The daemon is killed and started again, Apache comes back, and
// what was acknowledged last is there, under the strings that were given out.
func TestSavesWaitForApache(t *testing.T) {
	needDaemon(t)
	daemon.NeedsDisk(t)
	s := upstream.Apache(t)
	cool := office.NewEditor(t, wopi.Collabora, true, "odt")
	only := office.NewEditor(t, wopi.OnlyOffice, true, "docx")
	d := daemon.Start(t, serviceConfig(s)+fmt.Sprintf("editors: [%q, %q]\nsaves: {patience: 1s}\n", cool.URL, only.URL))
	ctx := t.Context()
	browser := d.BrowserTo(d.Link)
	type document struct {
		name, last string
		*office.Session
		put     wopi.PutFileInfo
		version string
	}
	var all []*document
	for name, e := range map[string]*office.Editor{"a.odt": cool, "b.docx": only} {
		put(t, s.Dir, name, "first")
		o := d.Open("/" + name)
		session, err := e.Client(o.WOPISrc, o.AccessToken).Open(ctx)
		if err != nil || session.ReadOnly {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, &document{name: name, Session: session})
	}
	save := func(contents string) {
		t.Helper()
		for _, doc := range all {
			a := must2(t)(doc.Save(ctx, []byte(contents), false))
			if err := a.JSON(&doc.put); err != nil {
				t.Fatal(err)
			}
			doc.last, doc.version = contents, a.ItemVersion()
		}
	}
	look := func(when string) {
		t.Helper()
		for _, doc := range all {
			var info wopi.CheckFileInfo
			if err := must2(t)(doc.Client.CheckFileInfo(ctx)).JSON(&info); err != nil {
				t.Fatal(err)
			}
			if info.Version != doc.version || info.LastModifiedTime != doc.put.LastModifiedTime || info.Size != int64(len(doc.last)) {
				t.Errorf("%s, %s: CheckFileInfo %q %q %d, PutFile %q %q", when, doc.name, info.Version, info.LastModifiedTime, info.Size,
					doc.version, doc.put.LastModifiedTime)
			}
			if a := must2(t)(doc.Client.GetFile(ctx, -1)); string(a.Body) != doc.last || a.ItemVersion() != doc.version {
				t.Errorf("%s, %s: GetFile %q %q", when, doc.name, a.Body, a.ItemVersion())
			}
		}
	}
	save("while it is up")
	s.Program.Kill()
	save("one, while it is down")
	save("two, while it is down")
	look("down")
	for _, doc := range all {
		base, _, _ := strings.Cut(doc.Client.WOPISrc, "?")
		if said := get(t, browser, d.URL+"/view/"+path.Base(base)+"/state", 200); strings.Contains(said, `"for":""`) {
			t.Errorf("the host page of %s is told %s", doc.name, said)
		}
	}
	d.Kill()
	d.Restart()
	look("down, after a restart")
	save("three, after a restart")
	list, err := d.Run("saves", "list")
	if err != nil || strings.Count(list, "waiting") < len(all) {
		t.Errorf("saves list: %v\n%s", err, list)
	}
	for _, doc := range all {
		must2(t)(doc.Close(ctx))
	}
	d.Kill()
	s.Program.Start()
	d.Restart()
	begin := time.Now()
	for _, doc := range all {
		for end := time.Now().Add(90 * time.Second); read(t, s.Dir, doc.name) != doc.last; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				list, _ := d.Run("saves", "list")
				t.Fatalf("%s holds %q, want %q\n%s", doc.name, read(t, s.Dir, doc.name), doc.last, list)
			}
		}
	}
	t.Logf("delivered %v after the restart", time.Since(begin).Round(time.Millisecond))
	look("up again")
	for _, doc := range all {
		again, err := doc.Client.Open(ctx)
		if err != nil || again.ReadOnly {
			t.Fatalf("%s cannot be opened again: %v", doc.name, err)
		}
		must2(t)(again.Save(ctx, []byte("the end"), true))
		must2(t)(again.Close(ctx))
		if on := read(t, s.Dir, doc.name); on != "the end" {
			t.Errorf("%s holds %q", doc.name, on)
		}
	}
	noTemps(t, s.Dir)
}
