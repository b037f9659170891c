package idmap_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"davwopi/davbackend"
	"davwopi/idmap"
)

// What happens, by whom.
var happens = []struct {
	name string
	do   func(st *story) bool
}{
	{"make", func(st *story) bool {
		p := st.free(fileNames...)
		if p == "" {
			return false
		}
		x := st.born("")
		x.text = st.fresh(x.n)
		st.write(p, x.text)
		st.files[p] = x
		return true
	}},
	{"make folder", func(st *story) bool {
		p := st.free(dirNames...)
		if p == "" {
			return false
		}
		st.dirs[p] = true
		st.must(os.Mkdir(st.disk(p), 0o777))
		return true
	}},
	{"edit", func(st *story) bool {
		p, ok := st.file()
		if ok {
			x := st.files[p]
			x.text = st.fresh(x.n)
			st.write(p, x.text)
		}
		return ok
	}},
	{"rename", func(st *story) bool { return st.rename(false) }},
	{"rename over", func(st *story) bool { return st.rename(true) }},
	{"rename folder", func(st *story) bool {
		from, to := st.dir(), st.free(dirNames...)
		if to == "" || from.IsRoot() || from.Contains(to) {
			return false
		}
		st.carry(from, to)
		st.shift(from, to)
		return true
	}},
	{"swap", func(st *story) bool {
		a, ok := st.file()
		b, _ := st.file()
		if !ok || a == b {
			return false
		}
		t := st.disk("/swapping")
		st.must(errors.Join(os.Rename(st.disk(a), t), os.Rename(st.disk(b), st.disk(a)), os.Rename(t, st.disk(b))))
		st.files[a], st.files[b] = st.files[b], st.files[a]
		return true
	}},
	{"copy", func(st *story) bool { return st.copy(false) }},
	{"copy with its time", func(st *story) bool { return st.copy(true) }},
	{"twin", func(st *story) bool {
		p, ok := st.file()
		to := st.free(fileNames...)
		if !ok || to == "" {
			return false
		}
		x := st.born(strings.Repeat("t", len(st.files[p].text)))
		st.must(os.WriteFile(st.disk(to), []byte(x.text), 0o666))
		st.must(sameTime(st.disk(p), st.disk(to)))
		st.files[to] = x
		return true
	}},
	{"replace by temp and MOVE", func(st *story) bool {
		p, ok := st.file()
		if ok {
			t, err := p.Parent().Join("~WRL0001.tmp")
			st.must(err)
			x, text := st.files[p], st.fresh(st.files[p].n)
			st.put(t, text)
			if rapid.Bool().Draw(st.T, "seen") {
				st.list(t.Parent(), t)
			}
			st.carry(t, p)
			x.text = text
		}
		return ok
	}},
	{"replace with a backup for a while", func(st *story) bool {
		p, ok := st.file()
		if ok {
			t, err := p.Parent().Join("~WRD0002.tmp")
			st.must(err)
			backup, err := p.Parent().Join(p.Base() + ".bak")
			st.must(err)
			x, text := st.files[p], st.fresh(st.files[p].n)
			st.put(t, text)
			st.carry(p, backup)
			st.carry(t, p)
			st.must(os.Remove(st.disk(backup)))
			x.text = text
		}
		return ok
	}},
	{"delete", func(st *story) bool {
		p, ok := st.file()
		if ok {
			st.must(os.Remove(st.disk(p)))
			st.end(p)
		}
		return ok
	}},
	{"look", func(st *story) bool {
		p, ok := st.file()
		if ok {
			st.look(p, rapid.Bool().Draw(st.T, "open"))
		}
		return ok
	}},
	{"list", func(st *story) bool { st.list(st.dir()); return true }},
	{"find", func(st *story) bool {
		if len(st.told) == 0 {
			return false
		}
		var ids []string
		for id := range st.told {
			ids = append(ids, fmt.Sprintf("%09d %s", st.told[id].soul.n, id))
		}
		slices.Sort(ids)
		st.find(idmap.FileID(rapid.SampledFrom(ids).Draw(st.T, "id")[10:]))
		return true
	}},
	{"save", func(st *story) bool {
		p, ok := st.file()
		if ok {
			e, _ := st.look(p, true)
			x := st.files[p]
			x.text = st.fresh(x.n)
			st.put(p, x.text)
			res, err := st.view.Stat(context.Background(), p)
			st.must(err)
			sum := sha256.Sum256([]byte(x.text))
			e, err = st.m.Wrote(context.Background(), st.s, e.ID, res, sum[:])
			st.must(err)
			st.saw(e, p, res)
		}
		return ok
	}},
	{"rename folder here", func(st *story) bool {
		from, to := st.dir(), st.free(dirNames...)
		if to == "" || from.IsRoot() || from.Contains(to) {
			return false
		}
		st.list(to.Parent()) // as whoever moves something there does
		e, _ := st.look(from, false)
		st.must(st.view.Move(context.Background(), from, to, false, davbackend.Condition{}, davbackend.Condition{}))
		st.shift(from, to)
		res, err := st.view.Stat(context.Background(), to)
		st.must(err)
		moved, err := st.m.Moved(context.Background(), st.s, e.ID, to, res)
		st.must(err)
		if moved.ID != e.ID {
			st.fail("the folder %q has another ID", to)
		}
		return true
	}},
	{"rename here", func(st *story) bool {
		p, ok := st.file()
		to := st.free(fileNames...)
		if !ok || to == "" {
			return false
		}
		st.list(to.Parent())
		e, _ := st.look(p, false)
		st.must(st.view.Move(context.Background(), p, to, false, davbackend.Condition{}, davbackend.Condition{}))
		st.shift(p, to)
		res, err := st.view.Stat(context.Background(), to)
		st.must(err)
		e, err = st.m.Moved(context.Background(), st.s, e.ID, to, res)
		st.must(err)
		st.saw(e, to, res)
		return true
	}},
}

func (st *story) rename(over bool) bool {
	from, ok := st.file()
	to := st.free(fileNames...)
	if over {
		to, _ = st.file()
	}
	if !ok || to == "" || from == to {
		return false
	}
	if st.carry(from, to) {
		x, y := st.files[from], st.files[to]
		x.alive, y.text = false, x.text
		delete(st.files, from)
		return true
	}
	st.shift(from, to)
	return true
}

// copy is COPY, or cp -p on the disk.
func (st *story) copy(withTime bool) bool {
	from, ok := st.file()
	to := st.free(fileNames...)
	if !ok || to == "" {
		return false
	}
	if withTime {
		st.must(errors.Join(os.WriteFile(st.disk(to), []byte(st.files[from].text), 0o666), sameTime(st.disk(from), st.disk(to))))
	} else {
		st.must(st.view.Copy(context.Background(), from, to, false, davbackend.Condition{}))
	}
	st.files[to] = st.born(st.files[from].text)
	return true
}

func sameTime(from, to string) error {
	i, err := os.Stat(from)
	if err != nil {
		return err
	}
	return os.Chtimes(to, time.Time{}, i.ModTime())
}

// clear empties the server's folder.
func (st *story) clear() {
	entries, err := os.ReadDir(st.server.Dir)
	st.must(err)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			st.must(os.RemoveAll(filepath.Join(st.server.Dir, e.Name())))
		}
	}
}
