package saves

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

const (
	spoolSuffix = ".spool"
	partSuffix  = ".part"
	chunk       = 128 << 10 // bytes that are in memory at a time
)

// A spooled is a body that is whole and durable in the state directory.
type spooled struct {
	size   int64
	sha256 []byte
}

// newID makes the ID of an entry: 80 random bits in lower-case base32. It is part
// of the temporary name on the upstream, so it must not be guessable there.
func newID() string { return strings.ToLower(rand.Text()[:16]) }

// spoolName is the name of an entry's file. The file ID is in it so that a spool
// whose row was not written before a crash still says whose it is.
func spoolName(id string, file idmap.FileID) string {
	if file == "" {
		return id + spoolSuffix
	}
	return id + "." + string(file) + spoolSuffix
}

// parseSpoolName is the inverse of spoolName.
func parseSpoolName(name string) (id string, file idmap.FileID, ok bool) {
	stem, ok := strings.CutSuffix(name, spoolSuffix)
	if !ok {
		return "", "", false
	}
	id, rest, _ := strings.Cut(stem, ".")
	return id, idmap.FileID(rest), id != ""
}

// spool makes body durable under name. Its steps, in this order, each before the
// next:
//
//  1. create NAME.part (a name that recovery removes without a look)
//  2. write the body into it, hashing on the way; over max: dav.ErrTooLarge
//  3. compare the length with Content-Length: dav.ErrIncomplete
//  4. fsync the file: the bytes are durable, under a name that means nothing
//  5. rename it to NAME: from now on a name ending in .spool means a whole body
//  6. fsync the directory: the name is durable
//
// The journal's row (journal.go) comes after step 6. In case of an error nothing
// is left.
func (s *Saves) spool(name string, body io.Reader, length, max int64) (spooled, error) {
	dir := s.spools()
	part := filepath.Join(dir, strings.TrimSuffix(name, spoolSuffix)+partSuffix)
	f, err := s.disk.create(part)
	if err != nil {
		return spooled{}, noRoom(fmt.Errorf("saves: spooling: %w", err))
	}
	sp, err := fill(f, body, length, max)
	if errors.Is(err, dav.ErrIncomplete) && s.lacks(theLength) {
		err = nil
	}
	if err == nil && !s.disk.noFileSync {
		err = f.sync()
	}
	err = errors.Join(err, f.close())
	if err == nil {
		err = s.disk.rename(part, filepath.Join(dir, name))
	}
	if err == nil && !s.disk.noDirSync {
		err = s.disk.syncDir(dir)
	}
	if err != nil {
		// Neither can be left for recovery to find: nothing was promised.
		_ = s.disk.remove(part)
		_ = s.disk.remove(filepath.Join(dir, name))
		return spooled{}, noRoom(fmt.Errorf("saves: spooling: %w", err))
	}
	return sp, nil
}

// fill copies body into f and checks its length (-1: unknown). With dav.ErrIncomplete it
// returns what there was.
func fill(f io.Writer, body io.Reader, length, max int64) (spooled, error) {
	hash := sha256.New()
	src := &source{r: body}
	// One byte more than allowed, to tell a body that ends from one that goes on.
	n, err := copyBytes(io.MultiWriter(f, hash), io.LimitReader(src, max+1))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(src.err, &tooLarge), n > max:
		return spooled{}, dav.ErrTooLarge
	case src.err != nil:
		return spooled{n, hash.Sum(nil)}, fmt.Errorf("%w: %w", dav.ErrIncomplete, src.err)
	case err != nil:
		return spooled{}, err
	case length >= 0 && n != length:
		return spooled{n, hash.Sum(nil)}, fmt.Errorf("%w: %d of %d bytes", dav.ErrIncomplete, n, length)
	}
	return spooled{n, hash.Sum(nil)}, nil
}

// source remembers that it was the reading that failed, not the writing.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// buffers are of chunk bytes: most bodies are smaller than one of these.
var buffers = sync.Pool{New: func() any { return new([chunk]byte) }}

// copyBytes is io.Copy through one of the buffers.
func copyBytes(w io.Writer, r io.Reader) (int64, error) {
	b := buffers.Get().(*[chunk]byte)
	defer buffers.Put(b)
	return io.CopyBuffer(onlyWriter{w}, onlyReader{r}, b[:])
}

// onlyWriter and onlyReader hide ReadFrom and WriteTo, which would go round our buffer.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)
