package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"davwopi/bridge"
)

// drain is how long running requests may go on after the signal to stop.
const drain = 25 * time.Second

// serve is the daemon: it runs until ctx ends.
func serve(ctx context.Context, k *call) (err error) {
	k.override("listen", "listen", "`ADDR` to listen on")
	k.override("dir", "dir", "`FOLDER` to serve when there is no upstream")
	if _, err := k.parse(0, 0); err != nil {
		return err
	}
	c, err := k.load()
	if err != nil {
		return err
	}
	if err := checkFolders(c); err != nil {
		return err
	}
	log, loud := newLog(c, k.stderr)
	sayRoot(log)
	front, err := openFront(c)
	if err != nil {
		return err
	}
	public := front.public
	c.Listening(public.Addr().String())
	h, err := build(ctx, c, log, loud, k.variable("DAVWOPI_SECRET_KEY"))
	defer func() { err = errors.Join(err, h.close()) }()
	if err != nil {
		return closeAll(err, public, front.plain)
	}
	if err := h.openAudit(k.stderr); err != nil {
		return closeAll(err, public, front.plain)
	}
	admin, err := listenAdmin(socketOf(c))
	if err != nil {
		return closeAll(err, public, front.plain)
	}
	figures, err := h.listenFigures()
	if err != nil {
		return closeAll(err, public, front.plain, admin)
	}
	if err := h.saves.Recover(ctx); err != nil {
		log.Error().Str("cause", bridge.Cause(err)).Msg("not everything in the save journal could be looked at; see davwopi saves list")
	}
	h.greet(ctx, k)
	return h.run(ctx, front, admin, figures)
}

// variable is the value of an environment variable.
func (k *call) variable(name string) string {
	for _, entry := range k.environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// listenAdmin opens the socket of the commands. A socket that a killed daemon left
// is removed: the database's lock has shown that no other one runs.
func listenAdmin(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// greet prints what the operator needs first.
func (h *house) greet(ctx context.Context, k *call) {
	c := h.config
	fmt.Fprintf(k.stdout, "davwopi serves %s\n", h.what())
	how := map[string]string{
		"upstream": "sign in with the name and password of the file server",
		"oidc":     "sign in with your account at " + c.SignIn.OIDC.Name,
		"proxy":    "your proxy signs you in",
	}[c.SignIn.Kind]
	if how != "" {
		fmt.Fprintf(k.stdout, "open %s and %s\n", c.PublicURL, how)
		return
	}
	link, err := h.newLink(ctx, owner())
	if err != nil {
		h.log.Error().Str("cause", bridge.Cause(err)).Msg("no sign-in link could be made; use davwopi invite -owner")
		return
	}
	fmt.Fprintf(k.stdout, "open this link to sign in (once, within %s): %s\n", inWords(c.SignIn.LinkLifetime), link)
	fmt.Fprintln(k.stdout, "invite a second person with: davwopi invite -name NAME (and yourself, in another browser: davwopi invite -owner)")
}

// inWords is a duration without the zeros that nobody wrote.
func inWords(d time.Duration) string {
	text := d.String()
	if d%time.Minute == 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	if d%time.Hour == 0 {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func (h *house) what() string {
	c := h.config
	if h.local != nil {
		return fmt.Sprintf("the folder %s at %s", c.Dir, c.PublicURL)
	}
	var names []string
	for _, u := range c.Upstreams {
		names = append(names, u.URL.String())
	}
	return fmt.Sprintf("%s at %s", strings.Join(names, ", "), c.PublicURL)
}

// run serves and keeps until ctx ends or something fails, then drains.
func (h *house) run(ctx context.Context, front *front, admin, figures net.Listener) error {
	servers := map[net.Listener]*http.Server{
		front.public: newServer(h.bridge.Handler()),
		admin:        newServer(h.bridge.Admin()),
	}
	if front.plain != nil {
		servers[front.plain] = newServer(plainHTTP(h.config, front.certificates))
	}
	if figures != nil {
		servers[figures] = newServer(h.figures())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	loops, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoops()

	var running sync.WaitGroup
	for l, s := range servers {
		running.Go(func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				cancel(err)
			}
		})
	}
	for _, loop := range []func(context.Context) error{h.locks.Run, h.saves.Run, h.runDocs, h.keepGrants, h.keepProfiles, h.keepWalks, h.clean, h.reopen} {
		running.Go(func() {
			if err := loop(loops); err != nil && loops.Err() == nil {
				cancel(err)
			}
		})
	}
	running.Go(func() { h.editors.Warm(loops) }) // so that the first list knows what can be opened
	<-ctx.Done()
	h.log.Info().Msg("stopping: running requests are finished first")
	err := errors.Join(h.drain(servers), h.emptyJournal())
	stopLoops()
	running.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

func newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// drain lets running requests finish within a limit.
func (h *house) drain(servers map[net.Listener]*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	var faults []error
	h.pages.Close()
	for _, s := range servers {
		if err := s.Shutdown(ctx); err != nil {
			h.log.Warn().Str("cause", bridge.Cause(err)).Msg("some requests did not finish in time; their bytes, if any, are in the save journal")
			faults = append(faults, s.Close())
		}
	}
	return errors.Join(faults...)
}

// lastTry is how long saves that wait may take when the daemon stops.
const lastTry = 10 * time.Second

// emptyJournal brings to the upstream what waits, as far as that goes, and says what stays.
func (h *house) emptyJournal() error {
	ctx, cancel := context.WithTimeout(context.Background(), lastTry)
	defer cancel()
	left, err := h.saves.Drain(ctx)
	if left > 0 {
		h.log.Warn().Int("saves", left).Msg("saves stay in the journal, durable; they are delivered after the next start (davwopi saves list)")
	}
	return err
}

// expireIDs lets go of IDs whose files did not come back.
func (h *house) expireIDs(ctx context.Context) error {
	now, err := h.db.Now(ctx)
	if err != nil {
		return err
	}
	_, err = h.ids.Expire(ctx, now.Add(-h.config.IDRetention))
	return err
}
