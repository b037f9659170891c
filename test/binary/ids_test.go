package binary

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/daemon"
)

// idsOf is what `davwopi ids show` says, one entry per place.
func idsOf(t *testing.T, d *daemon.Daemon, what string) []map[string]any {
	t.Helper()
	out, err := d.Run("ids", "show", what)
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) == 0 {
		t.Fatalf("%v: %s", err, out)
	}
	return all
}

func refused(t *testing.T, d *daemon.Daemon, words string, args ...string) {
	t.Helper()
	if out, err := d.Run(args...); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("%v: %s%v; want it refused with %q", args, out, err, words)
	}
}

// TestIDsOnTheCommandLine asks with the daemon running and without, and gets the same.
func TestIDsOnTheCommandLine(t *testing.T) {
	needDaemon(t)
	d := daemon.StartEmpty(t, "walk: {enabled: false}\n")
	d.Write("a/Annual Report.txt", "one")
	d.Write("b/other.txt", "two")
	d.Open("/a/Annual Report.txt")
	d.Open("/b/other.txt")
	for _, running := range []bool{true, false} {
		if !running {
			d.Stop()
		}
		id := idsOf(t, d, "/a/Annual Report.txt")[0]["id"].(string)
		if by := idsOf(t, d, id)[0]; by["path"] != "/a/Annual Report.txt" || by["state"] != "live" || by["history"] == nil {
			t.Errorf("%v", by)
		}
		if out, err := d.Run("ids", "/a"); err != nil || !strings.Contains(out, `"container"`) {
			t.Errorf("%s%v", out, err)
		}
		refused(t, d, "not found", "ids", "show", "/nothing-here")
		if out, _ := d.Run("ids", "show", "/nothing-here"); strings.Contains(out, "idmap:") {
			t.Errorf("the words of a room for a person: %s", out)
		}
		for _, text := range []string{"annual", id[:10]} {
			if out, err := d.Run("ids", "find", text); err != nil || !strings.Contains(out, id) || !strings.Contains(out, "/a/Annual Report.txt") {
				t.Errorf("%s%v", out, err)
			}
		}
		refused(t, d, "nothing is known", "ids", "find", "no such name")
		if out, err := d.Run("ids", "verify", "-dir", d.Dir); err != nil || !strings.Contains(out, "places compared") {
			t.Errorf("%s%v", out, err)
		}
	}
	refused(t, d, "exit status 2", "ids", "moved", "/a")
	refused(t, d, "exit status 2", "ids", "find")
}

// TestMovedByWord: a file goes where no evidence follows it, and the operator says so.
func TestMovedByWord(t *testing.T) {
	needDaemon(t)
	d := daemon.StartEmpty(t, "walk: {enabled: false}\n")
	d.Write("a/x.txt", "one")
	d.Write("b/kept.txt", "two")
	wopiSrc := d.Open("/a/x.txt").WOPISrc
	id := wopiSrc[strings.LastIndex(wopiSrc, "/")+1:]
	refused(t, d, "still", "ids", "moved", "/a/x.txt", "/b/kept.txt")

	move := func(from, to string) {
		t.Helper()
		d.Write(to, d.Read(from)) // another inode: the server takes it for another file
		if err := os.Remove(filepath.Join(d.Dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	move("a/x.txt", "b/y.txt")
	fresh := d.Open("/b/y.txt").WOPISrc
	if strings.HasSuffix(fresh, id) {
		t.Fatal("the evidence was enough")
	}
	refused(t, d, "nothing is at the new place", "ids", "moved", id, "/b/nowhere.txt")
	out, err := d.Run("ids", "verify")
	if err == nil || !strings.Contains(out, "missing") || !strings.Contains(out, "/a/x.txt") {
		t.Errorf("%s%v", out, err)
	}
	out, err = d.Run("ids", "moved", "/a/x.txt", "/b/y.txt")
	if err != nil || !strings.Contains(out, id) || !strings.Contains(out, "not found any more") {
		t.Fatalf("%s%v", out, err)
	}
	if again := d.Open("/b/y.txt").WOPISrc; again != wopiSrc {
		t.Errorf("%s, before %s", again, wopiSrc)
	}

	d.Stop()
	move("b/y.txt", "a/z.txt")
	if out, err := d.Run("ids", "moved", "-dir", d.Dir, "-json", id, "/a/z.txt"); err != nil || !strings.Contains(out, `"to": "/a/z.txt"`) {
		t.Fatalf("%s%v", out, err)
	}
	d.Restart()
	if again := d.Open("/a/z.txt").WOPISrc; !strings.HasSuffix(again, id) {
		t.Errorf("%s, before %s", again, wopiSrc)
	}
}

func TestVerifyRepairs(t *testing.T) {
	needDaemon(t)
	d := daemon.StartEmpty(t, "walk: {enabled: false}\n")
	d.Write("a/x.txt", "one")
	d.Write("b/kept.txt", "two")
	d.Open("/a/x.txt")
	d.Open("/b/kept.txt")
	if err := os.Rename(filepath.Join(d.Dir, "a/x.txt"), filepath.Join(d.Dir, "b/x.txt")); err != nil {
		t.Fatal(err)
	}
	refused(t, d, "-repair records", "ids", "verify", "-json", "-all")
	out, err := d.Run("ids", "verify", "-repair", "-rate", "1000")
	if err != nil || !strings.Contains(out, "now at /b/x.txt") || !strings.Contains(out, "1 missing ones were found") {
		t.Errorf("%s%v", out, err)
	}
	if out, err := d.Run("ids", "verify", "/b"); err != nil {
		t.Errorf("%s%v", out, err)
	}
	refused(t, d, "requests in a second", "ids", "verify", "-rate", "0")
}

// TestIDsToANewState carries the IDs of a running daemon into a new state directory:
// links go on, also of a file that was saved, which the embedded server knows by a row.
func TestIDsToANewState(t *testing.T) {
	needDaemon(t)
	d := daemon.StartEmpty(t, "walk: {enabled: false}\n")
	d.Write("a/x.txt", "one")
	d.Write("a/saved.txt", "one")
	o := client(d, "/a/saved.txt")
	must2(t)(o.Lock(t.Context(), "L1"))
	must2(t)(o.PutFile(t.Context(), "L1", []byte("two"), nil))
	must2(t)(o.Unlock(t.Context(), "L1"))
	before := map[string]string{}
	for _, name := range []string{"/a/x.txt", "/a/saved.txt"} {
		d.Open(name)
		before[name] = idsOf(t, d, name)[0]["id"].(string)
	}
	file := filepath.Join(t.TempDir(), "ids.jsonl.gz")
	if out, err := d.Run("ids", "export", file); err != nil || !strings.Contains(out, file) {
		t.Fatalf("%s%v", out, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	refused(t, d, "there already", "ids", "export", file)
	refused(t, d, "stop it first", "ids", "import", file)
	d.Stop()
	plain := filepath.Join(t.TempDir(), "ids.jsonl")
	if _, err := d.Run("ids", "export", plain); err != nil {
		t.Fatal(err)
	}
	if out, err := d.Run("ids", "import", plain); err != nil || !strings.Contains(out, "there already") {
		t.Errorf("%s%v", out, err)
	}

	text, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.jsonl")
	if err := os.WriteFile(cut, text[:len(text)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	d.State = filepath.Join(t.TempDir(), "new")
	refused(t, d, "no state", "ids", "show", "/a")
	refused(t, d, "cut off", "ids", "import", cut)
	if out, err := d.Run("ids", "import", file); err != nil || !strings.Contains(out, "files and folders") {
		t.Fatalf("%s%v", out, err)
	}
	d.Restart()
	for name, id := range before {
		d.Open(name)
		if now := idsOf(t, d, name)[0]["id"]; now != id {
			t.Errorf("%s was %s and is %s", name, id, now)
		}
	}
	if out, err := d.Run("ids", "verify"); err != nil {
		t.Errorf("%s%v", out, err)
	}
	t.Run("PostgreSQL", func(t *testing.T) {
		shared := filepath.Join(t.TempDir(), "shared.yaml")
		if err := os.WriteFile(shared, []byte("state: {url: '"+sqldbtest.Postgres(t)+"'}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		to := []string{"-config", shared, "-state", t.TempDir()}
		if out, err := d.Run(append([]string{"ids", "import", file}, to...)...); err != nil {
			t.Fatalf("%s%v", out, err)
		}
		for name, id := range before {
			if out, err := d.Run(append([]string{"ids", "show", name}, to...)...); err != nil || !strings.Contains(out, id) {
				t.Errorf("%s was %s and is %s%v", name, id, out, err)
			}
		}
	})
}
