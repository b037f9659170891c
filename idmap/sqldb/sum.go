package sqldb

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// A Sum is a digest of rows in which their order does not count: the sum of their
// SHA-256, modulo 2^256. Databases do not sort text alike.
type Sum struct {
	Rows int64
	sum  [4]uint64
}

// Add adds the text of one row.
func (s *Sum) Add(row []byte) {
	digest := sha256.Sum256(row)
	carry := uint64(0)
	for i := range s.sum {
		s.sum[i], carry = bits.Add64(s.sum[i], binary.LittleEndian.Uint64(digest[8*i:]), carry)
	}
	s.Rows++
}

// String is the digest in hexadecimal digits.
func (s *Sum) String() string {
	var b [32]byte
	for i, n := range s.sum {
		binary.LittleEndian.PutUint64(b[8*i:], n)
	}
	return hex.EncodeToString(b[:])
}

// appendRow appends the text of a row: a JSON array of numbers, strings, null, and
// {"b64":"..."} for bytes. It is the same for the same values whatever database they
// come from.
func appendRow(text []byte, t Table, row []any) ([]byte, error) {
	text = append(text, '[')
	for i, v := range row {
		if i > 0 {
			text = append(text, ',')
		}
		switch v := v.(type) {
		case nil:
			text = append(text, "null"...)
		case int64:
			text = strconv.AppendInt(text, v, 10)
		case string:
			if !utf8.ValidString(v) {
				return nil, fmt.Errorf("sqldb: %s.%s holds a text that is not UTF-8", t.Name, t.Columns[i].Name)
			}
			quoted, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			text = append(text, quoted...)
		case []byte:
			text = append(text, `{"b64":"`...)
			text = base64.StdEncoding.AppendEncode(text, v)
			text = append(text, `"}`...)
		default:
			return nil, fmt.Errorf("sqldb: %s.%s holds a %T", t.Name, t.Columns[i].Name, v)
		}
	}
	return append(text, ']'), nil
}

// parseRow is the inverse of appendRow. The text may be hostile.
func parseRow(text []byte, t Table) ([]any, error) {
	var fields []json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil || len(fields) != len(t.Columns) {
		return nil, fmt.Errorf("a row of %s with %d values instead of %d", t.Name, len(fields), len(t.Columns))
	}
	row := make([]any, len(fields))
	for i, f := range fields {
		var err error
		if row[i], err = parseValue(f, t.Columns[i].Kind); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.Name, t.Columns[i].Name, err)
		}
	}
	return row, nil
}

func parseValue(text json.RawMessage, kind ColumnKind) (any, error) {
	if string(text) == "null" {
		return nil, nil
	}
	switch kind {
	case Number:
		return strconv.ParseInt(string(text), 10, 64)
	case Blob:
		var v struct {
			B64 *[]byte `json:"b64"`
		}
		if err := json.Unmarshal(text, &v); err != nil {
			return nil, err
		}
		if v.B64 == nil {
			return nil, fmt.Errorf("no bytes")
		}
		return *v.B64, nil
	}
	var s string
	return s, json.Unmarshal(text, &s)
}
