package oauth

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// maxKeyFile bounds what is read of a key file, in bytes; a key needs 65 at most.
const maxKeyFile = 4096

// ParseKey reads the secret key from a value of the environment or of a file: 32 bytes as 64 hexadecimal
// digits, or in base64 of either alphabet, padded or not. White space around it is ignored. The error
// wraps [ErrKey] and does not repeat the value.
func ParseKey(value string) ([]byte, error) {
	value = strings.TrimSpace(value)
	if len(value) == hex.EncodedLen(KeyLen) {
		if key, err := hex.DecodeString(value); err == nil {
			return strongKey(key)
		}
	}
	unpadded := strings.TrimRight(value, "=")
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if key, err := encoding.DecodeString(unpadded); err == nil && len(key) == KeyLen {
			return strongKey(key)
		}
	}
	return nil, fmt.Errorf("%w: it must be %d bytes in base64 or hexadecimal", ErrKey, KeyLen)
}

// strongKey refuses what is plainly a place-holder.
func strongKey(key []byte) ([]byte, error) {
	if bytes.Count(key, key[:1]) == len(key) {
		return nil, fmt.Errorf("%w: all its bytes are the same", ErrKey)
	}
	return key, nil
}

// LoadKey reads the secret key from file, or makes one there if nothing has that name ([CreateKey]). The
// error wraps [ErrKey] if file is not a regular file, may be read or written by group or others, or does not
// hold a key; then nothing was changed.
func LoadKey(file string) ([]byte, error) {
	key, err := readKey(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key, err = CreateKey(file)
	if errors.Is(err, fs.ErrExist) {
		return readKey(file) // another process was faster; its key is the one
	}
	return key, err
}

func readKey(file string) ([]byte, error) {
	// Looked at before it is opened, because opening a pipe would wait for a writer.
	if info, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("oauth: secret key: %w", err)
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrKey, file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("oauth: secret key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("oauth: secret key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%w: %s can be reached by others (mode %#o): chmod 600 it", ErrKey, file, mode)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("oauth: secret key: %w", err)
	}
	key, err := ParseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}

// CreateKey makes a random secret key and stores it in file, mode 0600, in base64. If something has
// that name already, the error wraps [fs.ErrExist] and it is left alone.
//
// The steps: temporary file beside it, write, fsync, link to its name (which never replaces), fsync the
// directory. A crash leaves no key or a whole one.
func CreateKey(file string) ([]byte, error) {
	key := make([]byte, KeyLen)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	dir := filepath.Dir(file)
	temp, err := os.CreateTemp(dir, ".key-*") // 0600 by its contract
	if err != nil {
		return nil, fmt.Errorf("oauth: create secret key: %w", err)
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	if _, err := fmt.Fprintln(temp, base64.StdEncoding.EncodeToString(key)); err != nil {
		return nil, fmt.Errorf("oauth: create secret key: %w", err)
	}
	if err := temp.Sync(); err != nil {
		return nil, fmt.Errorf("oauth: create secret key: %w", err)
	}
	if err := os.Link(temp.Name(), file); err != nil {
		return nil, fmt.Errorf("oauth: create secret key: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return nil, fmt.Errorf("oauth: create secret key: %w", err)
	}
	return key, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
