package binary

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// A stormer saves one document again and again, each time with a higher number.
type stormer struct {
	name string
	*office.Session

	mu    sync.Mutex
	acked int               // guarded by mu; the last number that was answered 200
	given map[string]string // guarded by mu; string -> the contents that it was given for
}

func (s *stormer) contents(n int) string { return fmt.Sprintf("%s, save %06d", s.name, n) }

func (s *stormer) last() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked
}

// save is one save; false if it was not acknowledged.
func (s *stormer) save(t *testing.T, n int) bool {
	body := s.contents(n)
	a, err := s.Save(t.Context(), []byte(body), false)
	if err != nil || a.Status != 200 {
		return false
	}
	var said wopi.PutFileInfo
	if err := a.JSON(&said); err != nil {
		t.Error(err)
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked = n
	s.given[a.ItemVersion()], s.given[said.LastModifiedTime] = body, body
	return true
}

// spoolsOf reads the journal's files out of a backup.
func spoolsOf(t *testing.T, file string) (all []string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(h.Name, "saves/") {
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(b))
		}
	}
}

func idAt(t *testing.T, d *daemon.Daemon, what string) (id, path string) {
	t.Helper()
	var all []struct{ ID, Path string }
	if err := json.Unmarshal([]byte(must1(t)(d.Run("ids", what))), &all); err != nil || len(all) == 0 {
		t.Fatalf("%v %v", all, err)
	}
	return all[0].ID, all[0].Path
}

// TestBackupDuringAStorm: while the file server is away and six documents are saved as
// fast as it goes, two backups are made. Each has every save that had been acknowledged
// when it began, or a newer one of that document. The second is put back elsewhere: the
// saves arrive, IDs are the same, a file that was changed since gets a conflict copy, one
// that was renamed since with another in its place keeps its ID, and no string of the old
// bridge comes back for other contents.
func TestBackupDuringAStorm(t *testing.T) {
	needDaemon(t)
	daemon.NeedsDisk(t)
	ctx := t.Context()
	s := upstream.Strict(t)
	cool := office.NewEditor(t, wopi.Collabora, true, "odt")
	config := serviceConfig(s) + fmt.Sprintf("editors: [%q]\nsaves: {patience: 1s, when_upstream_is_down: queue}\n", cool.URL)
	d := daemon.Start(t, config)
	var all []*stormer
	ids := map[string]string{}
	for n := range 6 {
		name := fmt.Sprintf("doc%d.odt", n)
		s.Write(t, name, "first "+name)
		o := d.Open("/" + name)
		session, err := cool.Client(o.WOPISrc, o.AccessToken).Open(ctx)
		if err != nil || session.ReadOnly {
			t.Fatal(err)
		}
		all = append(all, &stormer{name: name, Session: session, given: map[string]string{}})
		ids[name], _ = idAt(t, d, "/"+name)
	}
	s.Quirks.Fail(upstream.Fault{Status: 503})
	stop := make(chan struct{})
	var storm sync.WaitGroup
	for _, doc := range all {
		storm.Go(func() {
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if !doc.save(t, n) {
					t.Errorf("%s: save %d was not acknowledged", doc.name, n)
					return
				}
			}
		})
	}
	atLeast := func(n int) func() bool {
		return func() bool {
			for _, doc := range all {
				if doc.last() < n && !t.Failed() {
					return false
				}
			}
			return true
		}
	}
	var file string
	var floor map[string]int
	for round := 1; round <= 2; round++ {
		until(t, "the storm", atLeast(5*round))
		floor = map[string]int{}
		for _, doc := range all {
			floor[doc.name] = doc.last()
		}
		file = filepath.Join(t.TempDir(), "x.backup")
		must1(t)(d.Run("state", "backup", file))
		found := strings.Join(spoolsOf(t, file), "\n")
		for _, doc := range all {
			best := 0
			for n := floor[doc.name]; n <= doc.last(); n++ {
				if strings.Contains(found, doc.contents(n)) {
					best = n
				}
			}
			if best == 0 {
				t.Errorf("backup %d has not got save %d of %s, nor a newer one", round, floor[doc.name], doc.name)
			}
		}
	}
	after := all[0].last()
	until(t, "saves after the backup", func() bool { return all[0].last() >= after+3 || t.Failed() })
	close(stop)
	storm.Wait()
	d.Kill()
	s.Quirks.Reset()
	if left, _ := filepath.Glob(filepath.Join(d.State, ".backup-*")); left != nil {
		t.Errorf("left of the backups: %v", left)
	}

	// What others did since.
	s.Write(t, "doc0.odt", "somebody else's work")
	if err := os.Rename(filepath.Join(s.Dir, "doc1.odt"), filepath.Join(s.Dir, "moved.odt")); err != nil {
		t.Fatal(err)
	}
	s.Write(t, "doc1.odt", "another document")

	state := restoreTo(t, file, config, filepath.Join(d.State, "secret.key"))
	again := daemon.StartWith(t, config, daemon.Options{State: state})
	t.Cleanup(func() {
		if t.Failed() {
			saves, _ := again.Run("saves", "list")
			locks, _ := again.Run("locks", "list")
			t.Logf("after the restore:\n%s%s", saves, locks)
		}
	})
	for _, doc := range all[2:] {
		until(t, doc.name+" to arrive", func() bool {
			on, _ := s.Read(t, doc.name)
			return strings.HasPrefix(on, doc.name) && on >= doc.contents(floor[doc.name])
		})
	}
	// This server's ETags change with a rename, so it is not certain that nobody has saved.
	for n, name := range []string{"doc0", "moved"} {
		until(t, "the conflict copy of "+name, func() bool { return conflictCopy(t, s.Dir, name, all[n].contents(floor[all[n].name])) })
	}
	for name, want := range map[string]string{"doc0.odt": "somebody else's work", "doc1.odt": "another document", "moved.odt": "first doc1.odt"} {
		if on, _ := s.Read(t, name); on != want {
			t.Errorf("%s holds %q", name, on)
		}
	}
	for _, doc := range all[2:] {
		nothingRecurs(t, again, cool, doc, ids[doc.name])
	}
	if _, path := idAt(t, again, ids["doc1.odt"]); path != "/moved.odt" {
		t.Errorf("the ID of doc1.odt is at %s", path)
	}
	again.Open("/doc1.odt")
	if id, _ := idAt(t, again, "/doc1.odt"); id == ids["doc1.odt"] {
		t.Error("another document is served under the ID of doc1.odt")
	}
	old := strings.Replace(all[2].Client.WOPISrc, d.URL, again.URL, 1)
	status2(t, 401)(cool.Client(old, all[2].Client.AccessToken).CheckFileInfo(ctx))
}

// restoreTo puts a backup into a new state directory, as the README says.
func restoreTo(t *testing.T, file, config, key string) (state string) {
	t.Helper()
	state = filepath.Join(t.TempDir(), "state")
	dir := t.TempDir()
	putConfig(t, dir, config)
	out, err := command(t, "state", "restore", "-config", filepath.Join(dir, "davwopi.yaml"), "-state", state, file)
	if err != nil || !strings.Contains(out, "There is no secret key.") {
		t.Fatalf("restore: %v %s", err, out)
	}
	b, err := os.ReadFile(key)
	if err == nil {
		err = os.WriteFile(filepath.Join(state, "secret.key"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// conflictCopy reports whether a conflict copy has the bytes, or newer ones.
func conflictCopy(t *testing.T, dir, name, least string) bool {
	t.Helper()
	copies, err := filepath.Glob(filepath.Join(dir, name+" (conflict *"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range copies {
		if b, err := os.ReadFile(c); err == nil && string(b) >= least {
			return true
		}
	}
	return false
}

// nothingRecurs opens a document of the restored bridge and saves it: it has its ID, and
// no string that the old bridge gave out for other contents.
func nothingRecurs(t *testing.T, d *daemon.Daemon, e *office.Editor, doc *stormer, id string) {
	t.Helper()
	o := d.Open("/" + doc.name)
	if !strings.Contains(o.WOPISrc, id) {
		t.Errorf("%s had the ID %s, and is %s", doc.name, id, o.WOPISrc)
	}
	session, err := e.Client(o.WOPISrc, o.AccessToken).Open(t.Context())
	if err != nil || session.ReadOnly {
		t.Fatalf("%s cannot be opened: %v", doc.name, err)
	}
	told := func(strings ...string) {
		t.Helper()
		for _, s := range strings {
			if before, ok := doc.given[s]; ok && before != string(session.Contents) {
				t.Errorf("%s was given out for %q, and now for %q", s, before, session.Contents)
			}
		}
	}
	told(session.Info.Version, session.Info.LastModifiedTime)
	for n := range 5 {
		a := must2(t)(session.Save(t.Context(), []byte(fmt.Sprintf("restored %d", n)), n == 4))
		var said wopi.PutFileInfo
		if err := a.JSON(&said); err != nil {
			t.Fatal(err)
		}
		told(a.ItemVersion(), said.LastModifiedTime)
	}
	must2(t)(session.Close(t.Context()))
}
