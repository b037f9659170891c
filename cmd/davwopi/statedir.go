package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/rs/zerolog"
)

// guardState keeps others out of the state directory: one of ours gets mode 0700, and one into
// which everybody may write is refused, since a file could be put in the place of another.
// Windows has no such modes.
func guardState(dir string, log zerolog.Logger) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	ours, err := isOurs(dir)
	if err != nil {
		return err
	}
	if ours && os.Chmod(dir, 0o700) == nil {
		log.Info().Str("was", fmt.Sprintf("%#o", info.Mode().Perm())).Msg("the state directory is for davwopi alone: its mode is 0700 now")
		return nil
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("everybody on this machine may write into the state directory %s (mode %#o): chmod 700 it", dir, info.Mode().Perm())
	}
	log.Warn().Str("mode", fmt.Sprintf("%#o", info.Mode().Perm())).Msg("others may look into the state directory: chmod 700 it")
	return nil
}

// isOurs tells whether a directory is empty or holds our state: any other may be somebody's
// home, which is not ours to close.
func isOurs(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, name := range []string{"state.db", "secret.key"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true, nil
		}
	}
	return len(entries) == 0, nil
}

// sayRoot says once that davwopi has more power than it needs.
func sayRoot(log zerolog.Logger) {
	if os.Geteuid() == 0 {
		log.Warn().Msg("davwopi runs as root, which it never needs: whatever goes wrong goes wrong with all rights. Give it a user of its own (User= of systemd, user: of compose)")
	}
}
