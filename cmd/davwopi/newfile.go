package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// newFile has write fill a new file, which is whole and durable, or not there, and returns
// its size in words. It gets its name last, when check has looked at it; nil checks nothing.
// What is being made is shown to the person at the terminal.
func (k *call) newFile(to, what string, write func(io.Writer) error, check func(part string) error) (size string, err error) {
	if _, err := os.Lstat(to); err == nil {
		return "", fmt.Errorf("%s is there already", to)
	}
	part := to + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	shown := &progress{w: k.stderr, what: what}
	err = write(io.MultiWriter(f, shown))
	shown.end()
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil && check != nil {
		err = check(part)
	}
	return inBytes(shown.n), publish(part, to, err)
}

// packed is write, compressed if the name ends with .gz.
func packed(name string, write func(io.Writer) error) func(io.Writer) error {
	if !strings.HasSuffix(name, ".gz") {
		return write
	}
	return func(w io.Writer) error {
		z := gzip.NewWriter(w)
		return errors.Join(write(z), z.Close())
	}
}

// publish gives part, which is written and synced, its name, unless there was an error
// or somebody else has made a file of that name meanwhile. Either way part is gone.
func publish(part, to string, err error) error {
	if err == nil {
		err = os.Link(part, to)
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) {
			err = os.Rename(part, to)
		}
	}
	if _, gone := os.Lstat(part); gone == nil {
		err = errors.Join(err, os.Remove(part))
	}
	return errors.Join(err, syncPath(filepath.Dir(to)))
}
