package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"davwopi/config"
)

// checkFolders refuses a folder that would hand out what must stay secret:
// everybody who is signed in can read what lies below dir, or in the folder of an upstream
// that is mounted here. The error is [config.Faults].
func checkFolders(c *config.Config) error {
	var served []struct{ key, path string }
	if c.Embedded() {
		served = append(served, struct{ key, path string }{"dir", c.Dir})
	}
	for _, u := range c.Upstreams {
		if u.LocalPath != "" {
			served = append(served, struct{ key, path string }{"local_path", u.LocalPath})
		}
	}
	var faults config.Faults
	refuse := func(key, path string) error {
		if path == "" {
			return nil
		}
		for _, folder := range served {
			inside, err := liesIn(path, folder.path)
			if inside {
				faults = append(faults, config.Fault{Path: key, Message: path + " lies in the folder that is served (" + folder.key + ": " + folder.path + "), where everybody who is signed in could read it"})
			}
			if err != nil {
				return fmt.Errorf("%s (%s): %w", key, path, err)
			}
		}
		return nil
	}
	secrets := []struct{ key, path string }{
		{"state", c.State.Dir}, {"secret_key_file", c.SecretKeyFile}, {"tls.key_file", c.TLS.KeyFile},
		{"state.url_file", c.State.URLFile}, {"saves.dir", c.Saves.Dir},
	}
	for _, k := range c.APIKeys {
		secrets = append(secrets, struct{ key, path string }{"api_keys.key_file", k.KeyFile})
	}
	for _, e := range c.Editors {
		secrets = append(secrets, struct{ key, path string }{"editors.jwt_secret_file", e.JWTSecretFile})
	}
	for _, secret := range secrets {
		if err := refuse(secret.key, secret.path); err != nil {
			return err
		}
	}
	if c.Embedded() {
		journal := filepath.Join(c.State.Dir, "saves")
		inside, err := liesIn(c.Dir, journal)
		if inside {
			faults = append(faults, config.Fault{Path: "dir", Message: c.Dir + " lies in the save journal (" + journal + ")"})
		}
		if err != nil {
			return fmt.Errorf("state (%s): %w", c.State.Dir, err)
		}
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// liesIn reports whether path is dir or lies below it, by whatever name, symbolic
// links included. Neither need exist.
func liesIn(path, dir string) (bool, error) {
	path, err := realPath(path)
	if err != nil {
		return false, err
	}
	if dir, err = realPath(dir); err != nil {
		return false, err
	}
	of, err := os.Stat(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	for {
		if path == dir {
			return true, nil
		}
		// The same folder can have two names: another case, a bind mount.
		if is, err := os.Stat(path); err == nil && of != nil && os.SameFile(is, of) {
			return true, nil
		}
		parent := filepath.Dir(path)
		if parent == path {
			return false, nil
		}
		path = parent
	}
}

// realPath is path without symbolic links, as far as it exists.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	var missing string
	for rest := path; ; rest = filepath.Dir(rest) {
		real, err := filepath.EvalSymlinks(rest)
		if err == nil {
			return filepath.Join(real, missing), nil
		}
		if !errors.Is(err, fs.ErrNotExist) || filepath.Dir(rest) == rest {
			return "", err
		}
		missing = filepath.Join(filepath.Base(rest), missing)
	}
}
