package docsapi_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/bridge/docsapi"
	"davwopi/test/docserver"
	"davwopi/test/rooms"
)

// away makes callbacks come to nothing, as while the bridge is down.
func away(r *rig, e *docserver.Editor) {
	r.t.Helper()
	said := e.Content
	e.Lost(true)
	if told, err := e.Close(); err == nil && told.Answer == 0 {
		r.t.Fatalf("the measure is broken: %+v (%q)", told, said)
	}
}

func TestWhatWasForgottenIsFetchedAtTheStart(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	e.Type("two")
	away(r, e)
	r.DS.Forget("somebody-elses", "x")
	r.DS.Forget(strings.Repeat("a", 26)+"-1.abcdefghi", "x") // looks like ours, and is not
	if r.read(doc) != "one" {
		t.Fatal("the measure is broken")
	}
	r.Later(48 * time.Hour) // grants have expired
	r.start(docserver.Secret)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.Docs.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	until(t, "the forgotten save", func() bool { _, kept := r.DS.Forgotten(e.Key); return !kept })
	stop()
	running.Wait()
	if r.read(doc) != "two" || r.locked(file) != "" || len(r.names()) != 1 {
		t.Errorf("%q, lock %q, %v", r.read(doc), r.locked(file), r.names())
	}
	for _, key := range []string{"somebody-elses", strings.Repeat("a", 26) + "-1.abcdefghi"} {
		if _, kept := r.DS.Forgotten(key); !kept {
			t.Errorf("%s was taken from somebody else", key)
		}
	}
}

func TestAForgottenSaveOverAnOutsideChange(t *testing.T) {
	r := newRig(t, nil)
	r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	e.Type("two")
	away(r, e)
	r.write(doc, "theirs")
	r.Docs.FetchForgotten(t.Context())
	if r.read(doc) != "theirs" || r.read("/"+r.copyOf("Brief.docx", "(conflict Anna")) != "two" {
		t.Errorf("%q, %v", r.read(doc), r.names())
	}
	if _, kept := r.DS.Forgotten(e.Key); kept {
		t.Error("it is still forgotten")
	}
}

func TestAForgottenSaveThatIsOpenAgainIsLeftAlone(t *testing.T) {
	r := newRig(t, nil)
	r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	e.Type("two")
	away(r, e)
	again := r.open(doc, rooms.Ben)
	if again.Key != e.Key || again.Content != "two" {
		t.Fatalf("key %q, %q: what was not saved is not shown", again.Key, again.Content)
	}
	r.Docs.FetchForgotten(t.Context())
	if r.read(doc) != "one" {
		t.Error("it was taken from under an open editor")
	}
	again.Type("three")
	r.good(again.Close())
	if r.read(doc) != "three" || len(r.names()) != 1 {
		t.Errorf("%q, %v", r.read(doc), r.names())
	}
}

func TestOnlyTheAnswerWasLost(t *testing.T) {
	// The bridge dies after the save is durable and before it says so: what is forgotten
	// then is what the file has.
	r := newRig(t, nil)
	r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	e.Type("two")
	e.Deaf(true)
	_, _ = e.Close() // there is no answer
	if kept, ok := r.DS.Forgotten(e.Key); !ok || kept != "two" || r.read(doc) != "two" {
		t.Fatalf("the measure is broken: %q %v, %q", kept, ok, r.read(doc))
	}
	r.write(doc, "edited since by others")
	next := r.open(doc, rooms.Ben)
	r.Docs.FetchForgotten(t.Context())
	if _, kept := r.DS.Forgotten(e.Key); kept || r.read(doc) != "edited since by others" || len(r.names()) != 1 {
		t.Errorf("forgotten %v, %q, %v", kept, r.read(doc), r.names())
	}
	next.Type("four")
	r.good(next.Close())
	if r.read(doc) != "four" {
		t.Errorf("%q", r.read(doc))
	}
}

func TestNothingIsSavedForWhomAnAdministratorHasSignedOut(t *testing.T) {
	r := newRig(t, nil)
	r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	e.Type("two")
	away(r, e)
	r.Must(r.Tokens.RevokePrincipal(t.Context(), rooms.Anna.Key()))
	r.Must(r.Docs.Forget(t.Context(), rooms.Anna.Key()))
	r.Docs.FetchForgotten(t.Context())
	if r.read(doc) != "one" || len(r.names()) != 1 {
		t.Errorf("%q, %v", r.read(doc), r.names())
	}
	if _, kept := r.DS.Forgotten(e.Key); !kept {
		t.Error("the document server's copy is gone, too")
	}
}

func TestARestartWhileADocumentIsOpen(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	r.start(docserver.Secret)
	e.Moved(r.Base)
	if p := r.page(doc, rooms.Ben, true); p.Key != e.Key {
		t.Errorf("the key was %q and is %q", e.Key, p.Key)
	}
	e.Type("two")
	r.good(e.Save())
	r.start(docserver.Secret)
	e.Moved(r.Base)
	e.Type("three")
	r.good(e.Close())
	if r.read(doc) != "three" || r.locked(file) != "" || len(r.names()) != 1 {
		t.Errorf("%q, lock %q, %v", r.read(doc), r.locked(file), r.names())
	}
}

func TestTheCommandService(t *testing.T) {
	r := newRig(t, nil)
	r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	ds := r.Docs.Servers[r.DS.URL]
	ctx := t.Context()
	if v, err := ds.Version(ctx); err != nil || v != docserver.Version {
		t.Errorf("version: %q, %v", v, err)
	}
	if l, err := ds.License(ctx); err != nil || !l.Valid || l.Trial || !l.Free {
		t.Errorf("license: %+v, %v", l, err)
	}
	if users, err := ds.Info(ctx, e.Key); err != nil || !slices.Equal(users, []string{e.ID}) {
		t.Errorf("info: %v, %v", users, err)
	}
	for name, err := range map[string]error{
		"info":            ignore(ds.Info(ctx, "nobody")),
		"forcesave":       ds.ForceSave(ctx, "nobody", ""),
		"getForgotten":    ignore(ds.ForgottenURL(ctx, "nobody")),
		"deleteForgotten": ds.DeleteForgotten(ctx, "nobody"),
	} {
		if !errors.Is(err, docsapi.ErrUnknownKey) {
			t.Errorf("%s of an unknown key: %v", name, err)
		}
	}
	if err := ds.ForceSave(ctx, e.Key, ""); !errors.Is(err, docsapi.ErrUnchanged) {
		t.Errorf("forcesave of nothing: %v", err)
	}
	e.Type("two")
	r.Must(ds.ForceSave(ctx, e.Key, "nightly"))
	until(t, "the forced save", func() bool { return r.read(doc) == "two" })
	r.Must(ds.Rename(ctx, e.Key, strings.Repeat("ä", 200)))
	if got := r.DS.Title(e.Key); got != strings.Repeat("ä", 128) {
		t.Errorf("title %q", got)
	}
	r.Must(ds.Drop(ctx, e.Key))
	if got := r.DS.Dropped(); !slices.Equal(got, []string{"*"}) {
		t.Errorf("dropped %v", got)
	}
	other := *ds
	other.Secret = docsapi.Secret("another-secret-0123456789abcdefgh")
	if _, err := other.Version(ctx); !errors.Is(err, docsapi.ErrSecret) {
		t.Errorf("with another secret: %v", err)
	}
	other = *ds
	other.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	if _, err := other.Version(ctx); !errors.Is(err, docsapi.ErrSecret) {
		t.Errorf("with a clock that is late: %v", err)
	}
	r.DS.Down(true)
	if _, err := ds.Version(ctx); !errors.Is(err, docsapi.ErrDown) {
		t.Errorf("down: %v", err)
	}
}

func ignore[T any](_ T, err error) error { return err }

func TestConversion(t *testing.T) {
	r := newRig(t, func(s *docserver.Server) { s.Slow = 2 })
	ds := r.Docs.Servers[r.DS.URL]
	source := r.DS.Result([]byte("old"), "doc")
	c := docsapi.Conversion{Key: "cv-1", FileType: "doc", Output: "docx", URL: source, Title: "Alt.docx"}
	var percents []int
	for {
		p, err := ds.Convert(t.Context(), c)
		r.Must(err)
		percents = append(percents, p.Percent)
		if p.Done {
			if p.Type != "docx" || !strings.HasPrefix(p.URL, r.DS.URL) {
				t.Errorf("%+v", p)
			}
			break
		}
	}
	if !slices.Equal(percents, []int{0, 50, 100}) {
		t.Errorf("progress %v", percents)
	}
	for code, word := range map[int]string{
		-1: "unknown", -2: "timeout", -3: "failed", -4: "download", -5: "password", -6: "database", -7: "input", -8: "token", -9: "type", -10: "size", -99: "unknown",
	} {
		r.DS.ConvertError = code
		_, err := ds.Convert(t.Context(), c)
		var fault docsapi.ConversionError
		if !errors.As(err, &fault) || fault.Code() != word || !strings.Contains(err.Error(), "conversion: ") || strings.HasSuffix(fault.Error(), ": ") {
			t.Errorf("%d: %v", code, err)
		}
	}
	r.DS.ConvertError = 0
	other := *ds
	other.Secret = docsapi.Secret("another-secret-0123456789abcdefgh")
	if _, err := other.Convert(t.Context(), c); !errors.Is(err, docsapi.ErrSecret) {
		t.Errorf("with another secret: %v", err)
	}
	c.URL = r.Base + "/nowhere"
	c.Key = "cv-2"
	var fault docsapi.ConversionError
	if _, err := ds.ConvertWhole(t.Context(), c); !errors.As(err, &fault) || fault.Code() != "download" {
		t.Errorf("a source that cannot be fetched: %v", err)
	}
}
