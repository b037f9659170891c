package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"davwopi/bridge"
	"davwopi/idmap"
)

// ids is the operator's view of the IDs.
func ids(ctx context.Context, k *call) error {
	var in idsFlags
	k.flags.BoolVar(&in.json, "json", false, "find, moved, verify: print JSON")
	k.flags.IntVar(&in.limit, "limit", 50, "find: show at most `N`")
	k.flags.StringVar(&in.whose.Upstream, "upstream", "", "moved, verify: `NAME` of the upstream; default: the first")
	k.flags.StringVar(&in.whose.User, "user", "", "moved, verify: `NAME` of the person whose account is used, where everybody has the own")
	k.flags.BoolVar(&in.repair, "repair", false, "verify: record what is seen, and look for what is missing")
	k.flags.BoolVar(&in.all, "all", false, "verify: list also what is new or was changed")
	k.flags.Float64Var(&in.rate, "rate", 20, "verify: `N` requests in a second")
	k.override("dir", "dir", "`FOLDER` that is served when there is no upstream")
	rest, err := k.parse(1, 3)
	if err != nil {
		return err
	}
	word, rest := rest[0], rest[1:]
	switch {
	case word == "show" && len(rest) == 1:
		return k.showIDs(ctx, rest[0])
	case word == "find" && len(rest) == 1:
		return k.findIDs(ctx, in, rest[0])
	case word == "moved" && len(rest) == 2:
		return k.movedIDs(ctx, in, rest[0], rest[1])
	case word == "verify" && len(rest) <= 1:
		return k.verifyIDs(ctx, in, append(rest, "/")[0])
	case word == "export" && len(rest) == 1:
		return k.exportIDs(ctx, rest[0])
	case word == "import" && len(rest) == 1:
		return k.importIDs(ctx, rest[0])
	case len(rest) == 0 && !slices.Contains([]string{"show", "find", "moved", "export", "import"}, word):
		return k.showIDs(ctx, word)
	}
	return fmt.Errorf("%w: show PATH|ID, find TEXT, moved OLD NEW, verify [PATH], export FILE or import FILE", errUsage)
}

type idsFlags struct {
	json, repair, all bool
	limit             int
	rate              float64
	whose             whose
}

// askIDs asks the daemon, or the state itself where no daemon runs. upstreams says
// that the command looks at the upstream, too.
func (k *call) askIDs(ctx context.Context, upstreams bool, name string, in, out any) error {
	c, err := k.load()
	if err != nil {
		return err
	}
	err = bridge.Ask(ctx, socketOf(c), name, in, out)
	if !errors.Is(err, bridge.ErrNoDaemon) {
		return err
	}
	h, err := openIDs(ctx, k, c, upstreams)
	defer func() { err = errors.Join(err, h.close()) }()
	if err != nil {
		return err
	}
	arguments, err := json.Marshal(in)
	if err != nil {
		return err
	}
	result, err := h.commands()[name](ctx, arguments)
	if err != nil {
		return err
	}
	if text, ok := result.(io.ReadCloser); ok {
		_, err = io.Copy(out.(io.Writer), text)
		return errors.Join(err, text.Close())
	}
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, out)
}

func (k *call) showIDs(ctx context.Context, what string) error {
	var out json.RawMessage
	if err := k.askIDs(ctx, false, "ids", idsArguments{What: what}, &out); err != nil {
		return err
	}
	return k.printJSON(out)
}

func (k *call) findIDs(ctx context.Context, in idsFlags, text string) error {
	var out findResult
	if err := k.askIDs(ctx, false, "find-ids", findArguments{text, in.limit}, &out); err != nil {
		return err
	}
	if in.json {
		return k.printJSON(out)
	}
	w := tabwriter.NewWriter(k.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tKIND\tSTATE\tPATH")
	for _, d := range out.Found {
		state := d.State
		if !d.Since.IsZero() {
			state += " since " + d.Since.Local().Format("2006-01-02 15:04")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.ID, d.Kind, state, d.Path)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	switch {
	case len(out.Found) == 0:
		return errors.New("nothing is known by that name or evidence")
	case out.More:
		fmt.Fprintf(k.stderr, "there are more; only %d were shown (-limit)\n", in.limit)
	}
	return nil
}

func (k *call) movedIDs(ctx context.Context, in idsFlags, from, to string) error {
	var out idmap.Told
	if err := k.askIDs(ctx, true, "moved-id", movedArguments{in.whose, from, to}, &out); err != nil {
		return err
	}
	if in.json {
		return k.printJSON(map[string]any{"id": out.Entry.ID, "from": out.From, "to": out.Entry.Path, "ended": out.Ended})
	}
	fmt.Fprintf(k.stdout, "%s, which was at %s, is at %s\n", out.Entry.ID, out.From, out.Entry.Path)
	if out.Ended != "" {
		fmt.Fprintf(k.stdout, "%s, which was given to it meanwhile, is not found any more\n", out.Ended)
	}
	return nil
}

func (k *call) verifyIDs(ctx context.Context, in idsFlags, p string) error {
	r, w := io.Pipe()
	asked := make(chan error, 1)
	go func() {
		err := k.askIDs(ctx, true, "verify-ids", verifyArguments{in.whose, p, in.repair, in.rate}, w)
		asked <- err
		w.CloseWithError(err)
	}()
	report := &verifyReport{k: k, in: in}
	err := lines(r, report.line)
	r.CloseWithError(err)
	if failed := <-asked; failed != nil {
		return failed // what ended lines, too
	}
	if err != nil {
		return err
	}
	return report.end()
}

// A verifyReport prints what verify-ids streams.
type verifyReport struct {
	k     *call
	in    idsFlags
	shown bool // a counter stands on the terminal
	done  *idmap.Verified
	fault string
}

func (r *verifyReport) line(text []byte) error {
	var l verifyLine
	if err := json.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("answer of the daemon: %w", err)
	}
	switch {
	case l.Progress != nil && isTerminal(r.k.stderr):
		fmt.Fprintf(r.k.stderr, "\r%d folders, %d places ", l.Progress.Folders, l.Progress.Places)
		r.shown = true
	case l.Difference != nil:
		return r.difference(*l.Difference)
	case l.Done != nil:
		r.done, r.fault = l.Done, l.Error
	}
	return nil
}

func (r *verifyReport) difference(d idmap.Difference) error {
	if !r.in.all && (d.What == idmap.DiffersNew || d.What == idmap.DiffersChanged) {
		return nil
	}
	r.clear()
	if r.in.json {
		return json.NewEncoder(r.k.stdout).Encode(d)
	}
	text := fmt.Sprintf("%-8s %s", d.What, d.Path)
	if d.ID != "" {
		text += "  " + string(d.ID)
	}
	if d.Now != "" {
		text += "  now at " + d.Now
	}
	_, err := fmt.Fprintln(r.k.stdout, text)
	return err
}

func (r *verifyReport) clear() {
	if r.shown {
		fmt.Fprint(r.k.stderr, "\r\033[K")
		r.shown = false
	}
}

// end prints the counts. What the map does not agree with the upstream about is an
// error, so that a script sees it, but for what is new or changed, and for what a
// repair has settled.
func (r *verifyReport) end() error {
	r.clear()
	if r.done == nil {
		return errors.New("the daemon stopped in the middle")
	}
	v := *r.done
	if r.in.json {
		if err := json.NewEncoder(r.k.stdout).Encode(map[string]any{"counts": v}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(r.k.stdout, "folders listed: %d, places compared: %d\n", v.Folders, v.Places)
		for _, what := range slices.Sorted(maps.Keys(v.Differs)) {
			fmt.Fprintf(r.k.stdout, "%8d %s\n", v.Differs[what], verifyWords[what])
		}
		if r.in.repair {
			fmt.Fprintf(r.k.stdout, "%8d missing ones were found elsewhere\n", v.Found)
		}
	}
	if r.fault != "" {
		return errors.New(r.fault)
	}
	wrong := v.Differs[idmap.DiffersMissing] + v.Differs[idmap.DiffersOther] + v.Differs[idmap.DiffersBack]
	if wrong > 0 && !r.in.repair {
		return fmt.Errorf("%d places are not as the map has them; -repair records what is there", wrong)
	}
	return nil
}

var verifyWords = map[string]string{
	idmap.DiffersMissing: "missing: not where they were",
	idmap.DiffersBack:    "back: were missing, and something is there",
	idmap.DiffersOther:   "other: by the evidence another file is there",
	idmap.DiffersChanged: "changed: other contents than were seen last (no fault)",
	idmap.DiffersNew:     "new: not seen before, no ID yet (no fault)",
	idmap.DiffersUnseen:  "unseen: folders that this account may not look into",
}

// exportIDs writes the IDs to a new file, compressed if its name ends with .gz; - is
// standard output. The file is whole and durable, or not there.
func (k *call) exportIDs(ctx context.Context, to string) error {
	if to == "-" {
		return k.askIDs(ctx, false, "export-ids", struct{}{}, k.stdout)
	}
	size, err := k.newFile(to, "export", packed(to, func(w io.Writer) error {
		return k.askIDs(ctx, false, "export-ids", struct{}{}, w)
	}), nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(k.stdout, "%s: %s\n", to, size)
	return nil
}

// importIDs takes over what exportIDs wrote.
func (k *call) importIDs(ctx context.Context, from string) error {
	c, err := k.load()
	if err != nil {
		return err
	}
	shown := &progress{w: k.stderr, what: "import"}
	got, err := importIDs(ctx, c, func() (io.ReadCloser, error) { return openExport(from, shown) })
	shown.end()
	if err != nil {
		return fmt.Errorf("%w; nothing was imported", err)
	}
	if got.Already {
		fmt.Fprintf(k.stdout, "all of it is there already: %d files and folders\n", got.Resources)
		return nil
	}
	fmt.Fprintf(k.stdout, "%d files and folders, %d places, %d older revisions\n", got.Resources, got.Places, got.Revisions)
	return nil
}

// openExport opens a file that exportIDs wrote, and counts what is read of it.
func openExport(name string, shown *progress) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	counted := io.TeeReader(f, shown)
	if !strings.HasSuffix(name, ".gz") {
		return readCloser{counted, f}, nil
	}
	z, err := gzip.NewReader(counted)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return readCloser{z, f}, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}
