package binary

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/test/daemon"
	"davwopi/test/upstream"
)

// saved writes a document as an office does, and closes it.
func saved(t *testing.T, d *daemon.Daemon, path, text string, want int) {
	t.Helper()
	ctx, c := t.Context(), client(d, path)
	must2(t)(c.Lock(ctx, "L"))
	status2(t, want)(c.PutFile(ctx, "L", []byte(text), nil))
	must2(t)(c.Unlock(ctx, "L"))
}

// out runs a command that must work.
func out(t *testing.T, d *daemon.Daemon, args ...string) string {
	t.Helper()
	text, err := d.Run(args...)
	if err != nil {
		t.Fatalf("davwopi %s: %v\n%s", strings.Join(args, " "), err, text)
	}
	return text
}

// entryOf finds the entry of a state in the list.
func entryOf(t *testing.T, d *daemon.Daemon, state string) string {
	t.Helper()
	list := out(t, d, "saves", "list")
	for _, line := range strings.Split(list, "\n") {
		if fields := strings.Fields(line); len(fields) > 3 && fields[2] == state {
			return fields[0]
		}
	}
	t.Fatalf("no entry is %s:\n%s", state, list)
	return ""
}

// TestUndoCommand: the last save of a document is undone by its path, its ID, or the
// entry, and that can be undone too.
func TestUndoCommand(t *testing.T) {
	needDaemon(t)
	d := daemon.StartEmpty(t, "")
	d.Write("team/a.txt", "at first")
	saved(t, d, "/team/a.txt", "a mistake", http.StatusOK)
	id := d.Open("/team/a.txt").WOPISrc
	id = id[strings.LastIndexByte(id, '/')+1:]
	for _, step := range []struct{ what, want string }{
		{"/team/a.txt", "at first"}, {id, "a mistake"}, {"team/a.txt", "at first"}, {entryOf(t, d, "preimage"), ""},
	} {
		if said := out(t, d, "saves", "undo", step.what); !strings.Contains(said, "/team/a.txt is what it was before") {
			t.Errorf("undo %s says %q", step.what, said)
		}
		if got := d.Read("team/a.txt"); step.want != "" && got != step.want {
			t.Errorf("after undo %s it holds %q, want %q", step.what, got, step.want)
		}
	}
	ctx, c := t.Context(), client(d, "/team/a.txt")
	must2(t)(c.Lock(ctx, "L"))
	before := d.Read("team/a.txt")
	if said, err := d.Run("saves", "undo", "/team/a.txt"); err == nil || !strings.Contains(err.Error(), "somebody has it open") || d.Read("team/a.txt") != before {
		t.Errorf("undo of an open document: %v %s", err, said)
	}
	if said, err := d.Run("saves", "undo", "/team/none.txt"); err == nil {
		t.Errorf("undo of nothing: %s", said)
	}
}

// TestRestoreCommand: bytes that did not get through become a document.
func TestRestoreCommand(t *testing.T) {
	needDaemon(t)
	s := upstream.Strict(t)
	s.Write(t, "a.txt", "at first")
	d := daemon.Start(t, serviceConfig(s)+"saves: {patience: 1s}\n")
	s.Quirks.Fail(upstream.Fault{Method: "PUT", Status: http.StatusServiceUnavailable})
	saved(t, d, "/a.txt", "did not get through", http.StatusInternalServerError)
	s.Quirks.Reset()
	id := entryOf(t, d, "unacknowledged")
	if got := out(t, d, "saves", "show", id); got != "did not get through" {
		t.Errorf("show says %q", got)
	}
	said := out(t, d, "saves", "restore", id)
	path := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(said), "it is /"), " now")
	if got, _ := s.Read(t, path); got != "did not get through" || !strings.HasPrefix(path, "a (recovered ") {
		t.Errorf("restore says %q; there is %q", said, got)
	}
	if said, err := d.Run("saves", "restore", id); err == nil {
		t.Errorf("once more: %s", said)
	}
}

// TestMetricsPage is on an address of its own.
func TestMetricsPage(t *testing.T) {
	needDaemon(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	d := daemon.StartEmpty(t, fmt.Sprintf("metrics: {listen: %q}\n", address))
	d.Write("a.txt", "x")
	ctx, c := t.Context(), client(d, "/a.txt")
	must2(t)(c.Lock(ctx, "L"))
	page := get(t, http.DefaultClient, "http://"+address+"/metrics", http.StatusOK)
	for _, want := range []string{`davwopi_locks{phase="held"} 1`, `davwopi_saves_entries{state="waiting"} 0`, "davwopi_build_info", "process_resident_memory_bytes"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	get(t, http.DefaultClient, "http://"+address+"/", http.StatusNotFound)
	r, err := http.Get(d.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if text, err := io.ReadAll(r.Body); err != nil || r.StatusCode == http.StatusOK || strings.Contains(string(text), "davwopi_locks") {
		t.Errorf("the public address serves them: %d", r.StatusCode)
	}
}

// TestNothingIsKeptForUndo where the operator says so.
func TestNothingIsKeptForUndo(t *testing.T) {
	needDaemon(t)
	d := daemon.StartEmpty(t, "saves: {undo: false}\n")
	d.Write("a.txt", "at first")
	saved(t, d, "/a.txt", "second", http.StatusOK)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		kept, err := filepath.Glob(filepath.Join(d.State, "saves", "*.spool"))
		if err != nil {
			t.Fatal(err)
		}
		if len(kept) == 0 {
			break
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(kept[0])
			t.Fatalf("%d files are kept, the first with %q", len(kept), text)
		}
	}
	if said, err := d.Run("saves", "undo", "/a.txt"); err == nil || !strings.Contains(err.Error(), "nothing is kept") {
		t.Errorf("undo: %v %s", err, said)
	}
}

// TestLocksCommands: what a crash has left is listed, and released by the operator's word:
// on the upstream too.
func TestLocksCommands(t *testing.T) {
	needDaemon(t)
	s := upstream.Strict(t)
	s.Write(t, "team/a.txt", "at first")
	d := daemon.Start(t, serviceConfig(s))
	ctx, c := t.Context(), client(d, "-user", "Anna", "/team/a.txt")
	must2(t)(c.Lock(ctx, "L"))
	d.Kill()
	d.Restart()
	list := out(t, d, "locks", "list")
	if !strings.Contains(list, "/team/a.txt") || !strings.Contains(list, "Anna") || !strings.Contains(list, "held") {
		t.Errorf("after a crash the list is\n%s", list)
	}
	id, _, _ := strings.Cut(c.WOPISrc, "?")
	id = id[strings.LastIndexByte(id, '/')+1:]
	if said, err := d.Run("locks", "release", "nonsense"); err == nil {
		t.Errorf("an ID that is none: %s", said)
	}
	out(t, d, "locks", "release", id)
	if list := out(t, d, "locks", "list"); strings.Contains(list, "held") {
		t.Errorf("after the release the list is\n%s", list)
	}
	if lock, _, err := s.View(t).Lock(ctx, "/team/a.txt", davbackend.LockRequest{Owner: "Word on a desk", Timeout: time.Minute}); err != nil || lock.Token == "" {
		t.Errorf("the upstream still holds our lock: %v", err)
	}
}
