package localdav

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"davwopi/davbackend/dav"
)

// lock answers LOCK (RFC 4918 9.10): with a body a new lock, without one a refresh.
func (s *Server) lock(w http.ResponseWriter, r *request) error {
	body, err := readXML(r.Request)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return s.refresh(w, r)
	}
	asked, err := parseLockInfo(body)
	if err != nil {
		return err
	}
	depth, err := r.depth()
	if err != nil || depth == dav.Depth1 {
		return refusal(http.StatusBadRequest, errors.New("localdav: Depth of LOCK is 0 or infinity"))
	}
	now, err := s.state.db.Now(r.Context())
	if err != nil {
		return err
	}
	l := lock{
		token:    dav.LockToken("opaquelocktoken:" + randomUUID()),
		root:     r.path,
		infinite: depth == dav.DepthInfinity,
		shared:   asked.shared,
		owner:    asked.owner,
		expires:  now.Add(granted(r.Header.Get("Timeout"))),
	}
	created := false
	if err := s.change(r.Context(), func() (err error) {
		l, created, err = s.take(r, l)
		return err
	}); err != nil {
		return err
	}
	w.Header().Set("Lock-Token", "<"+string(l.token)+">")
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return s.answerLock(w, status, l, now)
}

// take stores l, under the gate. Where nothing is an empty file comes to be (RFC 4918 9.10.4).
func (s *Server) take(r *request, l lock) (_ lock, created bool, err error) {
	ctx := r.Context()
	o, exists, err := s.target(ctx, r.path)
	if err != nil {
		return l, false, err
	}
	l.key = keyOf(o.real)
	var claims []claim
	if !exists {
		claims = []claim{{key: l.key, member: true}}
	}
	if err := s.check(ctx, r, o, exists, claims...); err != nil {
		return l, false, err
	}
	if err := s.free(ctx, l); err != nil {
		return l, false, err
	}
	if !exists {
		if r.slash {
			return l, false, refusal(http.StatusConflict, errors.New("localdav: no such folder"))
		}
		if err := s.createEmpty(ctx, r, o); err != nil {
			return l, false, err
		}
	}
	if err := s.state.addLock(ctx, l); err != nil {
		return l, false, err
	}
	return l, !exists, nil
}

// free says whether l can be taken beside the locks that there are (RFC 4918 6.2, 9.10.5):
// 423 with the root of the one in the way otherwise.
func (s *Server) free(ctx context.Context, l lock) error {
	locks, err := s.state.locksAbout(ctx, []string{l.key}, l.infinite)
	if err != nil {
		return err
	}
	for _, o := range locks {
		if !(o.covers(l.key) || l.infinite && within(l.key, o.key)) || o.shared && l.shared {
			continue
		}
		return &refused{
			status: http.StatusLocked, condition: "no-conflicting-lock",
			hrefs: []string{s.href(o.root, false)}, err: errors.New("localdav: locked"),
		}
	}
	return nil
}

func (s *Server) createEmpty(ctx context.Context, r *request, o seen) error {
	f, g, err := s.stageFile(ctx, path.Dir(o.real))
	if err != nil {
		return err
	}
	defer s.discard(ctx, g)
	if err := errors.Join(s.seal(f, g), f.Close()); err != nil {
		return err
	}
	_, err = s.install(ctx, installation{staged: g.rel, to: place{r.path, o.real, o.real}})
	return err
}

// refresh gives a lock a new end (RFC 4918 9.10.2). The If header names exactly one.
func (s *Server) refresh(w http.ResponseWriter, r *request) error {
	ctx := r.Context()
	tokens := r.submitted()
	if len(tokens) != 1 {
		return refusal(http.StatusBadRequest, errors.New("localdav: refresh names one lock token in If"))
	}
	var l lock
	var now time.Time
	err := s.change(ctx, func() error {
		o, exists, err := s.sightOrNone(ctx, r.path)
		if err != nil {
			return err
		}
		if err := s.check(ctx, r, o, exists); err != nil {
			return err
		}
		if l, err = s.held(ctx, tokens, o.keys()); err != nil {
			return err
		}
		if now, err = s.state.db.Now(ctx); err != nil {
			return err
		}
		l.expires = now.Add(granted(r.Header.Get("Timeout")))
		ok, err := s.state.extendLock(ctx, l.token, now, l.expires)
		if err == nil && !ok {
			err = errNoLock()
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.answerLock(w, http.StatusOK, l, now)
}

func errNoLock() error {
	return &refused{
		status: http.StatusPreconditionFailed, condition: "lock-token-matches-request-uri",
		err: errors.New("localdav: no such lock here"),
	}
}

// held returns the lock of a token if its scope includes keys.
func (s *Server) held(ctx context.Context, tokens map[dav.LockToken]bool, keys []string) (lock, error) {
	for token := range tokens {
		l, ok, err := s.state.lockByToken(ctx, token)
		if err != nil {
			return lock{}, err
		}
		if ok && covered([]lock{l}, token, keys) {
			return l, nil
		}
	}
	return lock{}, errNoLock()
}

// unlock answers UNLOCK (RFC 4918 9.11): 409 if the token is not that of a lock on the Request-URI.
func (s *Server) unlock(w http.ResponseWriter, r *request) error {
	raw := strings.TrimSpace(r.Header.Get("Lock-Token"))
	if !strings.HasPrefix(raw, "<") {
		return refusal(http.StatusBadRequest, errors.New("localdav: Lock-Token is not a coded URL"))
	}
	token, err := dav.ParseLockToken(raw)
	if err != nil {
		return refusal(http.StatusBadRequest, err)
	}
	ctx := r.Context()
	err = s.change(ctx, func() error {
		// The resource may be gone, moved away by another program; its lock is not.
		o, _, err := s.sightOrNone(ctx, r.path)
		if err != nil {
			return err
		}
		l, err := s.held(ctx, map[dav.LockToken]bool{token: true}, o.keys())
		if err != nil {
			var e *refused
			if errors.As(err, &e) && e.status == http.StatusPreconditionFailed {
				e.status = http.StatusConflict
			}
			return err
		}
		_, err = s.state.dropLock(ctx, l.token)
		return err
	})
	if err != nil {
		return err
	}
	return finish(w, http.StatusNoContent)
}

func (s *Server) answerLock(w http.ResponseWriter, status int, l lock, now time.Time) error {
	body := xmlHead + `<D:prop xmlns:D="DAV:"><D:lockdiscovery>` + s.activeLock(l, now) + "</D:lockdiscovery></D:prop>\n"
	w.Header().Set("Content-Type", xmlType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// Whether the client is still there to read it changes nothing any more.
	_, _ = io.WriteString(w, body)
	return nil
}

// activeLock is l as lockdiscovery shows it (RFC 4918 14.1).
func (s *Server) activeLock(l lock, now time.Time) string {
	scope, depth := "exclusive", dav.Depth0
	if l.shared {
		scope = "shared"
	}
	if l.infinite {
		depth = dav.DepthInfinity
	}
	owner := ""
	if l.owner != "" {
		owner = "<D:owner>" + l.owner + "</D:owner>"
	}
	return "<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope><D:" + scope + "/></D:lockscope>" +
		"<D:depth>" + depth.String() + "</D:depth>" + owner +
		"<D:timeout>" + dav.FormatTimeout(l.expires.Sub(now)) + "</D:timeout>" +
		"<D:locktoken><D:href>" + escape(string(l.token)) + "</D:href></D:locktoken>" +
		"<D:lockroot><D:href>" + escape(s.href(l.root, false)) + "</D:href></D:lockroot></D:activelock>"
}
