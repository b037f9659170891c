package idmap

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"davwopi/idmap/sqldb"
)

// Import takes over what [Map.Export] wrote, into a state that has no IDs: the same
// IDs, places, evidence and revisions, in a new epoch, so that no string of a revision
// is given out again. It is all or nothing, and its memory does not grow with the
// number of IDs. No bridge may be running on the state: what it remembers would be
// wrong.
//
// open gives the text from its beginning; on PostgreSQL it may be asked for more than
// once. The text may be hostile. Import returns [ErrBadExport] for one that was cut or
// changed, is of another version or breaks a rule of the map, and [ErrHasIDs] for a
// state with IDs, unless they are exactly those of the text; nothing is changed then.
func (m *Map) Import(ctx context.Context, open func() (io.ReadCloser, error), parts ...Part) (Carried, error) {
	var c Carried
	err := m.DB.Write(ctx, func(tx sqldb.Queryer) error {
		text, err := open()
		if err != nil {
			return err
		}
		defer text.Close()
		c, err = m.importFrom(ctx, tx, text, append([]Part{ownPart{}}, parts...))
		return err
	})
	if err != nil {
		return Carried{}, fmt.Errorf("idmap: import: %w", err)
	}
	return c, nil
}

func (m *Map) importFrom(ctx context.Context, tx sqldb.Queryer, text io.Reader, parts []Part) (Carried, error) {
	var used int64
	if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM idmap_resource LIMIT 1) r`).Scan(&used); err != nil {
		return Carried{}, err
	}
	i := &importer{whole: sha256.New(), content: sha256.New(), parts: parts}
	if used > 0 {
		return i.compare(ctx, tx, text)
	}
	for _, table := range []string{"idmap_moved", "idmap_space", "idmap_upstream", "idmap_epoch"} {
		if _, err := tx.Exec(ctx, `DELETE FROM `+table); err != nil {
			return Carried{}, err
		}
	}
	if err := i.read(text, func(p Part, is string, rows []json.RawMessage) error { return p.Import(ctx, tx, is, rows) }); err != nil {
		return Carried{}, err
	}
	if err := checkTree(ctx, tx); err != nil {
		return Carried{}, err
	}
	for _, table := range []string{"idmap_space", "idmap_upstream", "idmap_epoch", "idmap_resource"} {
		if err := m.DB.Renumber(ctx, tx, table); err != nil {
			return Carried{}, err
		}
	}
	now, err := m.DB.Now(ctx)
	if err != nil {
		return Carried{}, err
	}
	m.upstreams.Clear()
	return i.carried, insertEpoch(ctx, tx, now)
}

// compare reports whether the text is what the state would export.
func (i *importer) compare(ctx context.Context, tx sqldb.Queryer, text io.Reader) (Carried, error) {
	if err := i.read(text, func(Part, string, []json.RawMessage) error { return nil }); err != nil {
		return Carried{}, err
	}
	e := &exporter{w: io.Discard, whole: sha256.New(), content: sha256.New()}
	if err := e.rows(ctx, tx, i.parts[1:]); err != nil {
		return Carried{}, err
	}
	if !bytes.Equal(e.content.Sum(nil), i.content.Sum(nil)) {
		return Carried{}, ErrHasIDs
	}
	i.carried.Already = true
	return i.carried, nil
}

// An importer reads lines in batches of one kind, and sums them up.
type importer struct {
	whole, content hash.Hash
	lines          int64
	parts          []Part
	carried        Carried
}

// read gives each batch of rows to store. It returns nil only if the text was whole.
func (i *importer) read(from io.Reader, store func(Part, string, []json.RawMessage) error) error {
	lines := bufio.NewReaderSize(from, maxExportLine)
	is, row, text, err := i.next(lines)
	if err != nil {
		return err
	}
	sum(i.whole, i.content, is, text)
	var header exportHeader
	if is != "davwopi-ids" || json.Unmarshal(row, &header) != nil {
		return bad("it does not begin as one")
	}
	if header.Version != exportVersion {
		return bad("version %d, this davwopi reads version %d", header.Version, exportVersion)
	}
	var batch []json.RawMessage
	var of string
	for {
		if is, row, text, err = i.next(lines); err != nil {
			return err
		}
		if len(batch) > 0 && (is != of || len(batch) == exportBatch) {
			if err := i.store(of, batch, store); err != nil {
				return err
			}
			batch = batch[:0]
		}
		if is == "end" {
			return i.end(lines, row)
		}
		sum(i.whole, i.content, is, text)
		of, batch = is, append(batch, row)
	}
}

func (i *importer) store(is string, batch []json.RawMessage, store func(Part, string, []json.RawMessage) error) error {
	for _, p := range i.parts {
		if !p.Knows(is) {
			continue
		}
		if err := store(p, is, batch); err != nil {
			return fmt.Errorf("lines %d to %d: %w", i.lines-int64(len(batch)), i.lines-1, err)
		}
		i.carried.count(is, len(batch))
		return nil
	}
	return bad("line %d: this davwopi does not know what a %.40q is", i.lines-int64(len(batch)), is)
}

// next reads one line: a JSON object with one member. text is good until the next one.
func (i *importer) next(lines *bufio.Reader) (is string, row json.RawMessage, text []byte, err error) {
	text, err = lines.ReadSlice('\n')
	i.lines++
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "", nil, nil, bad("it is cut off in line %d", i.lines)
	case errors.Is(err, bufio.ErrBufferFull):
		return "", nil, nil, bad("line %d has more than %d bytes", i.lines, maxExportLine)
	case err != nil:
		return "", nil, nil, bad("line %d: %w", i.lines, err)
	}
	var line map[string]json.RawMessage
	if err := json.Unmarshal(text, &line); err != nil || len(line) != 1 {
		return "", nil, nil, bad("line %d is no object with one member", i.lines)
	}
	for is, row = range line { // one
	}
	return is, row, text, nil
}

// end checks the last line against the sum of those above.
func (i *importer) end(lines *bufio.Reader, row json.RawMessage) error {
	var end exportEnd
	summed := hex.EncodeToString(i.whole.Sum(nil))
	if err := json.Unmarshal(row, &end); err != nil || end.Lines != i.lines-1 || end.SHA256 != summed {
		return bad("its checksum is wrong: it was changed, or lines are lost")
	}
	if _, err := lines.ReadByte(); !errors.Is(err, io.EOF) {
		return bad("something follows its end")
	}
	return nil
}
