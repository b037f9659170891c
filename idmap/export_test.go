package idmap_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// lived gives the world a past: edits, hashes, renames, something missing, something
// that gave way, something dead, a second space, an older epoch.
func (w *world) lived() {
	w.Helper()
	must := func(err error) {
		w.Helper()
		if err != nil {
			w.Fatal(err)
		}
	}
	w.tr.natives = true
	x := w.add("/a/b/Überschrift 100% #+;.odt")
	must(w.m.Hash(w.ctx(), x.ID, 1, bytes.Repeat([]byte{7}, 32)))
	for range 3 {
		w.tr.edit(x.Path)
		w.at(x.Path)
	}
	must(w.m.NewEpoch(w.ctx()))
	w.tr.edit(x.Path)
	w.at(x.Path)
	w.add("/a/gone.odt")
	w.tr.remove("/a/gone.odt")
	w.list("/a")
	w.add("/a/replaced.odt")
	w.tr.remove("/a/replaced.odt")
	w.add("/a/replaced.odt")
	must(w.m.Deleted(w.ctx(), w.s, w.add("/a/dead.odt").ID))
	w.add("/empty/")
	s, err := w.m.Space(w.ctx(), "nas", "somebody")
	must(err)
	_, err = w.m.At(w.ctx(), s, w.tr.res(x.Path))
	must(err)
	w.sound()
}

func (w *world) export(parts ...idmap.Part) (string, idmap.Carried) {
	w.Helper()
	var text bytes.Buffer
	c, err := w.m.Export(w.ctx(), &text, parts...)
	if err != nil {
		w.Fatal(err)
	}
	return text.String(), c
}

func opener(text string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

// lines are the lines of an export but for its epochs, the first and the last.
func lines(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		return strings.HasPrefix(line, `{"epoch"`) || strings.HasPrefix(line, `{"end"`) || strings.HasPrefix(line, `{"davwopi-ids"`)
	})
}

// sealed ends lines with a checksum that is right.
func sealed(lines ...string) string {
	text := strings.Join(lines, "\n") + "\n"
	return text + fmt.Sprintf(`{"end":{"lines":%d,"sha256":"%x"}}`+"\n", len(lines), sha256.Sum256([]byte(text)))
}

func TestImportCarriesEverything(t *testing.T) {
	for _, from := range []string{"SQLite", "PostgreSQL"} {
		t.Run("from "+from, func(t *testing.T) {
			each(t, func(w *world) {
				db := sqldbtest.New(w)
				if from == "PostgreSQL" {
					db = opened(w, sqldbtest.Postgres(w))
				}
				old := newWorld(w, db)
				old.lived()
				text, out := old.export()
				if out.Resources == 0 || out.Places == 0 || out.Revisions == 0 {
					w.Fatalf("%+v", out)
				}
				in, err := w.m.Import(w.ctx(), opener(text))
				if err != nil || in != out {
					w.Fatalf("%+v, %v; exported were %+v", in, err, out)
				}
				w.sound()
				again, _ := w.export()
				if !slices.Equal(lines(again), lines(text)) {
					w.Errorf("imported\n%s\nexported\n%s", text, again)
				}
				w.s, w.tr = old.s, old.tr
				w.goesOn(old)
				if in, err = w.m.Import(w.ctx(), opener(text)); !errors.Is(err, idmap.ErrHasIDs) {
					w.Errorf("into a state that has lived on: %+v, %v", in, err)
				}
			})
		})
	}
}

func opened(t testing.TB, where string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// goesOn plays on in both worlds: the same files keep their IDs, no string of a
// revision is given out in both, and numbers do not collide.
func (w *world) goesOn(old *world) {
	w.Helper()
	const p = dav.Path("/a/b/Überschrift 100% #+;.odt")
	before := old.at(p)
	if now := w.at(p); now.ID != before.ID || now.Revision.Version != before.Revision.Version || now.Revision.LastModified != before.Revision.LastModified {
		w.Errorf("%+v became %+v", before, now)
	}
	w.tr.edit(p)
	a, b := old.at(p).Revision, w.at(p).Revision
	if a.Number != b.Number || a.Version == b.Version || a.LastModified == b.LastModified {
		w.Errorf("in the old world %+v, in the new one %+v", a, b)
	}
	if e := w.add("/a/new.odt"); e.ID == "" {
		w.Errorf("%+v", e)
	}
	w.sound()
}

func TestImportOfTheSame(t *testing.T) {
	each(t, func(w *world) {
		w.lived()
		text, out := w.export()
		in, err := w.m.Import(w.ctx(), opener(text))
		out.Already = true
		if err != nil || in != out {
			w.Errorf("%+v, %v", in, err)
		}
		if again, _ := w.export(); again != text {
			w.Error("it was changed")
		}
		w.add("/a/one-more.odt")
		if _, err := w.m.Import(w.ctx(), opener(text)); !errors.Is(err, idmap.ErrHasIDs) {
			w.Error(err)
		}
	})
}

// An export is of one point: what is written meanwhile is not in it, nor half of it.
func TestExportIsOfOnePoint(t *testing.T) {
	each(t, func(w *world) {
		w.lived()
		before, _ := w.export()
		var text bytes.Buffer
		meddler := writerFunc(func(p []byte) (int, error) {
			if text.Len() == 0 {
				w.add("/meanwhile/x.odt")
			}
			return text.Write(p)
		})
		// So long that it is not written at once.
		long := idmap.Part(filler{})
		if _, err := w.m.Export(w.ctx(), meddler, long); err != nil {
			w.Fatal(err)
		}
		kept := slices.DeleteFunc(lines(text.String()), func(l string) bool { return strings.HasPrefix(l, `{"filler"`) })
		if !slices.Equal(kept, lines(before)) {
			w.Error("others were seen at work")
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A filler is a part of another room: 3,000 lines.
type filler struct{}

func (filler) Knows(is string) bool { return is == "filler" }
func (filler) Export(ctx context.Context, q sqldb.Queryer, each func(string, any) error) error {
	for i := range 3000 {
		if err := each("filler", strings.Repeat("x", 40)+fmt.Sprint(i)); err != nil {
			return err
		}
	}
	return nil
}
func (filler) Import(_ context.Context, _ sqldb.Queryer, _ string, rows []json.RawMessage) error {
	for _, r := range rows {
		if !strings.HasPrefix(string(r), `"xxxx`) {
			return errors.New("not mine")
		}
	}
	return nil
}

func TestPartsOfOtherRooms(t *testing.T) {
	each(t, func(w *world) {
		old := newWorld(t, sqldbtest.New(t))
		old.lived()
		text, _ := old.export(filler{})
		if _, err := w.m.Import(w.ctx(), opener(text)); !errors.Is(err, idmap.ErrBadExport) || !strings.Contains(err.Error(), "filler") {
			w.Error("a kind that nobody knows:", err)
		}
		if _, err := w.m.Import(w.ctx(), opener(text), filler{}); err != nil {
			w.Error(err)
		}
	})
}

// What the export carries are all columns there are: one that a later migration adds
// would be lost silently.
func TestExportNamesEveryColumn(t *testing.T) {
	each(t, func(w *world) {
		w.lived()
		text, _ := w.export()
		tables, err := w.m.DB.Tables(w.ctx())
		if err != nil {
			w.Fatal(err)
		}
		columns := map[string]string{}
		for _, table := range tables {
			var names []string
			for _, c := range table.Columns {
				names = append(names, c.Name)
			}
			columns[table.Name] = strings.Join(names, ", ")
		}
		for is, table := range map[string]string{
			"upstream": "idmap_upstream", "space": "idmap_space", "epoch": "idmap_epoch",
			"resource": "idmap_resource", "place": "idmap_place", "revision": "idmap_revision",
		} {
			if !strings.Contains(text, `{"`+is+`":`) {
				w.Errorf("the world has no %s", is)
			}
			if got := idmap.CarriedColumns(is); got != columns[table] {
				w.Errorf("%s has the columns %v, carried are %s", table, columns[table], got)
			}
		}
	})
}

const (
	anID      = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	otherID   = "bbbbbbbbbbbbbbbbbbbbbbbbbb"
	thirdID   = "cccccccccccccccccccccccccc"
	header    = `{"davwopi-ids":{"version":1}}`
	anyNonce  = "abcdefghijklmnopqrstuvwxyz234567"
	theRoot   = `{"place":{"parent":0,"space":1,"resource":1}}`
	theFolder = `{"place":{"parent":1,"space":1,"name":"f","resource":2}}`
	theFile   = `{"place":{"parent":2,"space":1,"name":"x.odt","resource":3}}`
)

func folderLine(num int, id string) string {
	return fmt.Sprintf(`{"resource":{"num":%d,"id":"%s","upstream":1,"home":1,"kind":2,"size":-1}}`, num, id)
}

func fileLine(num int, id, more string) string {
	return fmt.Sprintf(`{"resource":{"num":%d,"id":"%s","upstream":1,"home":1,"kind":1,"epoch":1,"revision":1,"version":"1.abcd","last_modified":"2026-11-20T09:00:00.0000001Z","size":5%s}}`, num, id, more)
}

// small is a sound export of a root, a folder and a file.
func small() []string {
	return []string{
		header, `{"upstream":{"num":1,"name":"nas"}}`, `{"space":{"num":1,"upstream":1}}`, `{"epoch":{"num":1,"nonce":"` + anyNonce + `","began":1}}`,
		folderLine(1, anID), folderLine(2, otherID), fileLine(3, thirdID, ""), theRoot, theFolder, theFile,
	}
}

func with(lines []string, replaced map[int]string) []string {
	for i, l := range replaced {
		lines[i] = l
	}
	return lines
}

// Hostile texts are refused, and nothing is changed.
func TestImportRefuses(t *testing.T) {
	whole := sealed(small()...)
	swap := func(i int, line string) string { return sealed(with(small(), map[int]string{i: line})...) }
	add := func(more ...string) string { return sealed(append(small(), more...)...) }
	for name, text := range map[string]string{
		"nothing":                      "",
		"no export":                    "PK\x03\x04 something else\n",
		"another version":              swap(0, `{"davwopi-ids":{"version":2}}`),
		"no header":                    sealed(small()[1:]...),
		"cut in the middle":            whole[:len(whole)/2],
		"cut at a line":                whole[:strings.LastIndex(whole[:len(whole)-1], "\n")+1],
		"cut in the last line":         whole[:len(whole)-3],
		"a line is lost":               strings.Replace(whole, theFile+"\n", "", 1),
		"a letter is changed":          strings.Replace(whole, "x.odt", "y.odt", 1),
		"two texts in one":             whole + whole,
		"a long line":                  swap(9, `{"place":{"parent":2,"space":1,"name":"`+strings.Repeat("x", 10<<20)+`","resource":3}}`),
		"no object":                    swap(9, `[1]`),
		"two members":                  swap(9, `{"place":{"parent":2,"space":1,"name":"x","resource":3},"end":{}}`),
		"an unknown member":            swap(9, `{"place":{"parent":2,"space":1,"name":"x","resource":3,"password":"x"}}`),
		"a member of another type":     swap(9, `{"place":{"parent":"2","space":1,"name":"x","resource":3}}`),
		"an unknown kind":              add(`{"grant":{}}`),
		"an ID twice":                  swap(6, fileLine(3, otherID, "")),
		"a number twice":               swap(6, fileLine(2, thirdID, "")),
		"a number of nothing":          swap(6, fileLine(0, thirdID, "")),
		"a place twice":                add(fileLine(4, "d"+anID[1:], ""), `{"place":{"parent":2,"space":1,"name":"x.odt","resource":4}}`),
		"a file at two places":         add(`{"place":{"parent":2,"space":1,"name":"y.odt","resource":3}}`),
		"an ID of another alphabet":    swap(6, fileLine(3, "CCCCCCCCCCCCCCCCCCCCCCCCCC", "")),
		"a short ID":                   swap(6, fileLine(3, "cc", "")),
		"a name with a slash":          swap(9, `{"place":{"parent":2,"space":1,"name":"x/y","resource":3}}`),
		"a name that climbs":           swap(9, `{"place":{"parent":2,"space":1,"name":"..","resource":3}}`),
		"a name with NUL":              swap(9, `{"place":{"parent":2,"space":1,"name":"x\u0000","resource":3}}`),
		"a long name":                  swap(9, `{"place":{"parent":2,"space":1,"name":"`+strings.Repeat("x", 256)+`","resource":3}}`),
		"no name":                      swap(9, `{"place":{"parent":2,"space":1,"resource":3}}`),
		"a root with a name":           swap(7, `{"place":{"parent":0,"space":1,"name":"x","resource":1}}`),
		"two roots":                    add(folderLine(4, "d"+anID[1:]), `{"place":{"parent":0,"space":1,"resource":4}}`),
		"no root":                      sealed(append(small()[:7], small()[8:]...)...),
		"a file as the root":           sealed(with(small(), map[int]string{4: fileLine(1, anID, "")})...),
		"a circle":                     add(folderLine(4, "d"+anID[1:]), folderLine(5, "e"+anID[1:]), `{"place":{"parent":5,"space":1,"name":"a","resource":4}}`, `{"place":{"parent":4,"space":1,"name":"b","resource":5}}`),
		"a folder in itself":           add(folderLine(4, "d"+anID[1:]), `{"place":{"parent":4,"space":1,"name":"a","resource":4}}`),
		"below a file":                 add(fileLine(4, "d"+anID[1:], ""), `{"place":{"parent":3,"space":1,"name":"a","resource":4}}`),
		"below nothing":                swap(9, `{"place":{"parent":77,"space":1,"name":"x.odt","resource":3}}`),
		"of no file":                   swap(9, `{"place":{"parent":2,"space":1,"name":"x.odt","resource":77}}`),
		"of no space":                  swap(9, `{"place":{"parent":2,"space":9,"name":"x.odt","resource":3}}`),
		"in a space without its way":   add(`{"space":{"num":2,"upstream":1,"root":"jo"}}`, `{"place":{"parent":2,"space":2,"name":"x.odt","resource":3}}`),
		"of another upstream":          add(`{"upstream":{"num":2,"name":"other"}}`, `{"space":{"num":2,"upstream":2}}`, `{"place":{"parent":0,"space":2,"resource":1}}`),
		"waits for another":            swap(9, `{"place":{"parent":2,"space":1,"name":"x.odt","resource":3,"waiting":2}}`),
		"missing since before time":    swap(9, `{"place":{"parent":2,"space":1,"name":"x.odt","resource":3,"missing":-5}}`),
		"dead and there":               swap(6, fileLine(3, thirdID, `,"died":5`)),
		"of no kind":                   swap(5, strings.Replace(folderLine(2, otherID), `"kind":2`, `"kind":3`, 1)),
		"a folder with a version":      swap(5, strings.Replace(folderLine(2, otherID), `"size"`, `"version":"1.a","size"`, 1)),
		"a file without a version":     swap(6, strings.Replace(fileLine(3, thirdID, ""), `"version":"1.abcd",`, "", 1)),
		"a version with a line break":  swap(6, strings.Replace(fileLine(3, thirdID, ""), `1.abcd`, `1.abcd\r\nX-Header: 1`, 1)),
		"a time that is none":          swap(6, strings.Replace(fileLine(3, thirdID, ""), `2026-11-20T09:00:00.0000001Z`, `yesterday`, 1)),
		"of no epoch":                  swap(6, strings.Replace(fileLine(3, thirdID, ""), `"epoch":1`, `"epoch":7`, 1)),
		"a size below nothing":         swap(6, strings.Replace(fileLine(3, thirdID, ""), `"size":5`, `"size":-7`, 1)),
		"a short hash":                 swap(6, fileLine(3, thirdID, `,"sha256":"AAAA"`)),
		"evidence with NUL":            swap(6, fileLine(3, thirdID, `,"native_id":"a\u0000"`)),
		"long evidence":                swap(6, fileLine(3, thirdID, `,"native_id":"`+strings.Repeat("x", 9000)+`"`)),
		"an epoch with another nonce":  swap(3, `{"epoch":{"num":1,"nonce":"x","began":1}}`),
		"a revision of nothing":        add(`{"revision":{"resource":77,"number":1,"version":"1.a","last_modified":"2026-11-20T09:00:00.0000001Z","size":1}}`),
		"deeper than anybody climbs":   sealed(append(small(), deep(600)...)...),
		"lines that were not counted":  strings.Replace(whole, `"lines":10`, `"lines":9`, 1),
		"a checksum of something else": strings.Replace(whole, `"sha256":"`, `"sha256":"00`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sqldbtest.New(t))
			before, _ := w.export()
			if _, err := w.m.Import(w.ctx(), opener(text)); !errors.Is(err, idmap.ErrBadExport) {
				t.Errorf("%v", err)
			} else {
				t.Log(err)
			}
			if after, _ := w.export(); after != before {
				t.Errorf("the state became\n%s", after)
			}
		})
	}
	each(t, func(w *world) { // so much for the fixture
		if _, err := w.m.Import(w.ctx(), opener(whole)); err != nil {
			w.Fatal(err)
		}
		if e, err := w.m.KnownAt(w.ctx(), 1, "/f/x.odt"); err != nil || e.ID != thirdID {
			w.Errorf("%+v, %v", e, err)
		}
	})
}

// deep is a folder in a folder in a folder.
func deep(n int) []string {
	var all []string
	parent := 2
	for i := range n {
		sum := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		id := strings.NewReplacer("0", "g", "1", "h", "8", "i", "9", "j").Replace(hex.EncodeToString(sum[:13]))
		all = append(all, folderLine(10+i, id), fmt.Sprintf(`{"place":{"parent":%d,"space":1,"name":"d","resource":%d}}`, parent, 10+i))
		parent = 10 + i
	}
	return all
}

// A text that breaks only on PostgreSQL's side, or only there differently, changes
// nothing there either.
func TestImportRefusesOnEveryDatabase(t *testing.T) {
	each(t, func(w *world) {
		for name, text := range map[string]string{
			"an ID twice":  sealed(with(small(), map[int]string{6: fileLine(3, otherID, "")})...),
			"of no file":   sealed(with(small(), map[int]string{9: `{"place":{"parent":2,"space":1,"name":"x.odt","resource":77}}`})...),
			"cut":          strings.Join(small(), "\n"),
			"below a file": sealed(append(small(), fileLine(4, "d"+anID[1:], ""), `{"place":{"parent":3,"space":1,"name":"a","resource":4}}`)...),
		} {
			if _, err := w.m.Import(w.ctx(), opener(text)); !errors.Is(err, idmap.ErrBadExport) {
				w.Errorf("%s: %v", name, err)
			}
		}
		w.add("/it/works/still.odt")
		w.sound()
	})
}

func FuzzImport(f *testing.F) {
	f.Add(sealed(small()...))
	f.Add(header)
	f.Fuzz(func(t *testing.T, text string) {
		w := newWorld(t, sqldbtest.New(t))
		if _, err := w.m.Import(w.ctx(), opener(text)); err != nil {
			return
		}
		w.sound()
	})
}
