package main

import (
	"errors"
	"fmt"
	"os"

	"davwopi/config"
)

// errExposed is about a file with a secret that everybody on this machine may read.
var errExposed = errors.New("everybody on this machine may read it")

// openSecret opens a file that holds a secret, unless others may read it too.
func openSecret(file string) (*os.File, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && config.Exposed(file, info.Mode()) {
		err = fmt.Errorf("%s holds a secret and %w (mode %#o): chmod 600 it (in Kubernetes defaultMode: 0400)", file, errExposed, info.Mode().Perm())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// checkSecret is openSecret for files that others open.
func checkSecret(file string) error {
	f, err := openSecret(file)
	if err != nil {
		return err
	}
	return f.Close()
}
