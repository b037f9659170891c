package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"davwopi/bridge"
	"davwopi/config"
	"davwopi/idmap/sqldb"
)

func stateCommand(ctx context.Context, k *call) error {
	replace := k.flags.Bool("replace", false, "restore: move aside what is there")
	again := k.flags.Bool("again", false, "migrate, import: begin anew, over what one has left that was broken off")
	asJSON := k.flags.Bool("json", false, "check: print JSON")
	rest, err := k.parse(1, 2)
	if err != nil {
		return err
	}
	c, err := k.load()
	if err != nil {
		return err
	}
	switch {
	case rest[0] == "backup" && len(rest) == 2:
		return k.backup(ctx, c, rest[1])
	case rest[0] == "restore" && len(rest) == 2:
		return k.restore(ctx, c, rest[1], *replace)
	case rest[0] == "restored" && len(rest) == 1:
		return k.restored(ctx, c)
	case rest[0] == "migrate" && len(rest) == 1:
		return k.migrate(ctx, c, *again)
	case rest[0] == "export" && len(rest) == 2:
		return k.export(ctx, c, rest[1])
	case rest[0] == "import" && len(rest) == 2:
		return k.importState(ctx, c, rest[1], *again)
	case rest[0] == "check" && len(rest) == 1:
		return k.checkState(ctx, c, *asJSON)
	}
	return fmt.Errorf("%w: backup FILE|DIR, restore FILE, restored, migrate, export FILE, import FILE, or check", errUsage)
}

// backup writes a backup to a file, or to a new one in a directory, or to standard
// output if the name is -. It is whole and durable, or not there.
func (k *call) backup(ctx context.Context, c *config.Config, to string) error {
	if to == "-" {
		return k.streamBackup(ctx, c, k.stdout)
	}
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		to = filepath.Join(to, "davwopi-"+time.Now().UTC().Format("20060102-150405")+".backup")
	}
	var head backupHeader
	size, err := k.newFile(to, "backup", func(w io.Writer) error { return k.streamBackup(ctx, c, w) }, func(part string) (err error) {
		head, err = checkBackup(part)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(k.stdout, "%s: %s, with %s of the save journal, %d of them waiting for the file server\n", to, size, countFiles(head.Files), head.Waiting)
	fmt.Fprintln(k.stdout, "The secret key is not in it. Keep a copy of that in another place.")
	return nil
}

func countFiles(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// streamBackup asks the daemon, or reads the state if none runs.
func (k *call) streamBackup(ctx context.Context, c *config.Config, w io.Writer) error {
	err := bridge.Ask(ctx, socketOf(c), "backup", struct{}{}, w)
	if !errors.Is(err, bridge.ErrNoDaemon) {
		return err
	}
	if c.State.Shared() {
		return errPostgres
	}
	if err := settleRestore(c.State.Dir, time.Now()); err != nil {
		return err
	}
	where := filepath.Join(c.State.Dir, "state.db")
	if _, err := os.Stat(where); err != nil {
		return fmt.Errorf("there is no state to back up: %w", err)
	}
	db, err := sqldb.Open(ctx, where)
	if err != nil {
		return err
	}
	s, err := takeSnapshot(ctx, c.State.Dir, db, nil)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	return errors.Join(s.write(ctx, w), s.remove())
}

// checkBackup reads a backup once more.
func checkBackup(file string) (backupHeader, error) {
	f, err := os.Open(file)
	if err != nil {
		return backupHeader{}, err
	}
	defer f.Close()
	b := newBackupReader(f, "")
	err = b.read(nil)
	return b.head, err
}

// restore puts a backup into the state directory; - is standard input.
func (k *call) restore(ctx context.Context, c *config.Config, from string, replace bool) error {
	if c.State.Shared() {
		return errPostgres
	}
	var in io.Reader = os.Stdin
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	shown := &progress{w: k.stderr, what: "restore"}
	r := &restore{state: c.State.Dir, replace: replace, now: time.Now()}
	head, err := r.from(ctx, io.TeeReader(in, shown))
	shown.end()
	if err != nil {
		return err
	}
	fmt.Fprintf(k.stdout, "%s holds the state of %s: %s of the save journal, %d of them waiting for the file server\n",
		c.State.Dir, head.Made.Local().Format("2006-01-02 15:04:05"), countFiles(head.Files), head.Waiting)
	k.afterRestore(c)
	return nil
}

// restored is what follows after PostgreSQL was put back with its own tools.
func (k *call) restored(ctx context.Context, c *config.Config) error {
	if err := os.MkdirAll(c.State.Dir, 0o700); err != nil {
		return err
	}
	where, err := databaseOf(c)
	if err != nil {
		return err
	}
	if c.State.Shared() {
		release, err := sqldb.Hold(filepath.Join(c.State.Dir, "daemon"))
		if err != nil {
			return err
		}
		defer release()
	} else if _, err := os.Stat(where); err != nil {
		return fmt.Errorf("there is no state: %w", err)
	}
	db, err := openDatabase(ctx, where)
	if err != nil {
		return err
	}
	journal := filepath.Join(c.State.Dir, "saves")
	if err = nobodyElse(ctx, db, journal); err == nil {
		err = markRestored(ctx, db, journal)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	fmt.Fprintln(k.stdout, "the state counts as restored from now on")
	k.afterRestore(c)
	return nil
}

// afterRestore says what is not as it was.
func (k *call) afterRestore(c *config.Config) {
	fmt.Fprintln(k.stdout, "Documents that were open are closed, and everybody signs in again. App passwords and links to files are those of then: look whether one was revoked since.")
	file := c.SecretKeyFile
	if file == "" {
		file = filepath.Join(c.State.Dir, "secret.key")
	}
	if _, err := os.Stat(file); err != nil && k.variable("DAVWOPI_SECRET_KEY") == "" {
		fmt.Fprintf(k.stdout, "There is no secret key. Put the old one into %s before davwopi is started; with a new one, saves that wait under a person's own password wait for that person to sign in.\n", file)
	}
}

// A progress counts bytes, and shows them to a person.
type progress struct {
	w     io.Writer
	what  string
	n     int64
	shown time.Time
}

func (p *progress) Write(b []byte) (int, error) {
	p.n += int64(len(b))
	if now := time.Now(); now.Sub(p.shown) > 300*time.Millisecond && isTerminal(p.w) {
		p.shown = now
		fmt.Fprintf(p.w, "\r%s: %s ", p.what, inBytes(p.n))
	}
	return len(b), nil
}

func (p *progress) end() {
	if !p.shown.IsZero() {
		fmt.Fprintf(p.w, "\r%s: %s \n", p.what, inBytes(p.n))
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func inBytes(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 10<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}
