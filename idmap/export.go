package idmap

import (
	"bufio"
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

// An export is a text of lines, each a JSON object with one member, which says what
// the line is: first "davwopi-ids", then the rows, in an order in which each row comes
// after those that it names, and last "end" with the number of lines above it and
// their SHA-256, so that a text that was cut or changed is known.
//
//	{"davwopi-ids":{"version":1}}
//	{"upstream":{"num":1,"name":"main"}}
//	...
//	{"end":{"lines":17,"sha256":"..."}}

// exportVersion is raised when a reader of the present version would misread a text.
const exportVersion = 1

// maxExportLine bounds one line, in bytes. Paths have at most 4,096, and evidence is
// of the same order.
const maxExportLine = 64 << 10

// exportBatch is how many rows are stored at once.
const exportBatch = 200

// ErrBadExport: what was to be imported is no whole and sound export. Nothing was
// changed.
var ErrBadExport = errors.New("idmap: not a sound export of IDs")

// ErrHasIDs: the state has IDs already, and not exactly those of the export. Nothing
// was changed.
var ErrHasIDs = errors.New("idmap: the state has IDs of its own")

// A Part is what another room has to say about IDs: what an upstream that keeps its
// evidence in our state is known by. The words that its lines begin with are its own.
type Part interface {
	// Export calls each for every row, in an order in which they can be stored.
	Export(ctx context.Context, q sqldb.Queryer, each func(is string, row any) error) error
	// Import stores rows of one kind, which may be hostile: an error refuses the
	// whole import. It returns [ErrBadExport] for a kind that it does not know.
	Import(ctx context.Context, tx sqldb.Queryer, is string, rows []json.RawMessage) error
	// Knows reports whether a kind of line is this part's.
	Knows(is string) bool
}

// Carried says what an export or import carried.
type Carried struct {
	Resources int64 `json:"resources"` // files and containers, also dead ones
	Places    int64 `json:"places"`
	Revisions int64 `json:"revisions"` // older ones
	Already   bool  `json:"already"`   // import: all of it was there, and nothing else
}

type exportHeader struct {
	Version int `json:"version"`
}

type exportEnd struct {
	Lines  int64  `json:"lines"`
	SHA256 string `json:"sha256"`
}

// Export writes all IDs to w, with their places, evidence and revisions, as they are
// at one point; others may go on writing. Its memory does not grow with the number of
// IDs. The text holds names of documents, and no credential.
func (m *Map) Export(ctx context.Context, w io.Writer, parts ...Part) (Carried, error) {
	buffered := bufio.NewWriterSize(w, 64<<10)
	e := &exporter{w: buffered, whole: sha256.New(), content: sha256.New()}
	err := e.line("davwopi-ids", exportHeader{exportVersion})
	if err == nil {
		err = m.DB.Snapshot(ctx, func(q sqldb.Queryer) error { return e.rows(ctx, q, parts) })
	}
	if err == nil {
		err = e.line("end", exportEnd{Lines: e.lines, SHA256: hex.EncodeToString(e.whole.Sum(nil))})
	}
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return Carried{}, fmt.Errorf("idmap: export: %w", err)
	}
	return e.carried, nil
}

// An exporter writes lines and sums them up.
type exporter struct {
	w       io.Writer
	whole   hash.Hash // of all lines
	content hash.Hash // of the lines by which two exports are compared
	lines   int64
	carried Carried
}

func (e *exporter) line(is string, row any) error {
	text, err := json.Marshal(map[string]any{is: row})
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if len(text) > maxExportLine {
		return fmt.Errorf("a %s with %d bytes cannot be exported", is, len(text))
	}
	e.lines++
	e.carried.count(is, 1)
	sum(e.whole, e.content, is, text)
	_, err = e.w.Write(text)
	return err
}

// sum notes a line. Two states are equal if their lines are, but for the epochs:
// every import begins one.
func sum(whole, content hash.Hash, is string, text []byte) {
	whole.Write(text) // never fails
	if is != "epoch" && is != "davwopi-ids" && is != "end" {
		content.Write(text)
	}
}

func (c *Carried) count(is string, n int) {
	switch is {
	case "resource":
		c.Resources += int64(n)
	case "place":
		c.Places += int64(n)
	case "revision":
		c.Revisions += int64(n)
	}
}

func (e *exporter) rows(ctx context.Context, q sqldb.Queryer, parts []Part) error {
	for _, p := range append([]Part{ownPart{}}, parts...) {
		if err := p.Export(ctx, q, e.line); err != nil {
			return err
		}
	}
	return nil
}
