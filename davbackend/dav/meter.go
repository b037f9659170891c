package dav

import (
	"bufio"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"
)

// A meter feeds encoding/xml byte by byte, ends it when a limit is passed, and puts
// "?" for what XML cannot hold: stray control bytes and invalid UTF-8. Some servers
// copy names from disk into displayname as they are; one such name must not hide the
// folder it is in.
type meter struct {
	from   *bufio.Reader
	total  int64 // bytes still allowed in the document
	token  int   // bytes still allowed before the next refill
	limit  int
	queued [utf8.UTFMax]byte
	at, n  int // queued[at:n] is to be read next
	err    error
}

// readers are used again: most documents are shorter than one of these.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 16<<10) }}

// newMeter returns a meter that must be ended by end.
func newMeter(r io.Reader, l Limits) *meter {
	from := readers.Get().(*bufio.Reader)
	from.Reset(r)
	return &meter{from: from, total: l.Bytes, token: l.Token, limit: l.Token}
}

// end gives back what m reads with; m is not to be read any more.
func (m *meter) end() {
	m.from.Reset(nil)
	readers.Put(m.from)
	m.from = nil
}

// refill begins a new token.
func (m *meter) refill() { m.token = m.limit }

// ReadByte implements io.ByteReader, which keeps encoding/xml from reading ahead.
func (m *meter) ReadByte() (byte, error) {
	if m.at < m.n {
		m.at++
		return m.queued[m.at-1], nil
	}
	if m.err != nil {
		return 0, m.err
	}
	if m.total <= 0 || m.token <= 0 {
		m.err = fmt.Errorf("%w: %w: bytes", ErrSyntax, ErrBound)
		return 0, m.err
	}
	b, err := m.from.ReadByte()
	if err != nil {
		m.err = err
		return 0, err
	}
	m.total--
	m.token--
	if b < ' ' && b != '\t' && b != '\r' && b != '\n' {
		return '?', nil
	}
	if b < utf8.RuneSelf {
		return b, nil
	}
	return m.rune()
}

// rune reads the character whose first byte was just read.
func (m *meter) rune() (byte, error) {
	if err := m.from.UnreadByte(); err != nil {
		m.err = err
		return 0, err
	}
	r, size, err := m.from.ReadRune()
	if err != nil {
		m.err = err
		return 0, err
	}
	if r == utf8.RuneError && size == 1 || r == 0xFFFE || r == 0xFFFF {
		return '?', nil
	}
	m.total -= int64(size - 1)
	m.token -= size - 1
	m.n = utf8.EncodeRune(m.queued[:], r)
	m.at = 1
	return m.queued[0], nil
}

// Read is there for io.Reader's sake; encoding/xml uses ReadByte.
func (m *meter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := m.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}
