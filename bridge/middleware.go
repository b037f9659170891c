package bridge

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
)

type contextKey int

const keyNumber contextKey = iota

// number gives every request an ID for the log and for the person who reports it.
func (b *Bridge) number(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()[:12]
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keyNumber, id)))
	})
}

// requestNumber is the ID that number gave; "" outside of a request.
func requestNumber(ctx context.Context) string {
	id, _ := ctx.Value(keyNumber).(string)
	return id
}

// recover turns a panic into a 500 that says nothing; the stack goes to the log.
func (b *Bridge) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			what := recover()
			if what == nil {
				return
			}
			if err, ok := what.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(what) // the way to break off an answer
			}
			b.Log.Error().Str("request", requestNumber(r.Context())).Str("panic", fmt.Sprint(what)).
				Bytes("stack", debug.Stack()).Msg("a bug: please report it")
			b.refuse(w, r, http.StatusInternalServerError, refusedBroken, "internal error")
		}()
		next.ServeHTTP(w, r)
	})
}

// believe replaces the peer by the one that a trusted proxy names, and notes the
// scheme that it saw. Headers of others are removed, so that nobody below can
// believe them by mistake.
func (b *Bridge) believe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proto := "http"
		if r.TLS != nil {
			proto = "https"
		}
		if b.trusts(r.RemoteAddr) {
			if p := r.Header.Get("X-Forwarded-Proto"); p == "http" || p == "https" {
				proto = p
			}
			if peer := b.forwardedPeer(r.Header.Values("X-Forwarded-For")); peer != "" {
				r.RemoteAddr = net.JoinHostPort(peer, "0")
			}
		} else {
			for _, name := range b.Identity {
				r.Header.Del(name)
			}
		}
		r.Header.Del("X-Forwarded-For")
		r.Header.Del("Forwarded")
		r.Header.Set("X-Forwarded-Proto", proto)
		next.ServeHTTP(w, r)
	})
}

func (b *Bridge) trusts(remote string) bool {
	a, err := netip.ParseAddrPort(remote)
	return err == nil && b.trustsAddr(a.Addr())
}

func (b *Bridge) trustsAddr(a netip.Addr) bool {
	return slices.ContainsFunc(b.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// forwardedPeer is the last address of X-Forwarded-For that is not a trusted
// proxy: what stands before it was written by the peer itself. Some proxies write
// the port, too.
func (b *Bridge) forwardedPeer(values []string) string {
	list := strings.Split(strings.Join(values, ","), ",")
	for _, text := range slices.Backward(list) {
		text = strings.TrimSpace(text)
		a, err := netip.ParseAddr(text)
		if port, fault := netip.ParseAddrPort(text); fault == nil {
			a, err = port.Addr(), nil
		}
		if err != nil {
			return ""
		}
		if !b.trustsAddr(a) {
			return a.Unmap().String()
		}
	}
	return ""
}

// checkHost refuses requests under a name that is not ours, so that a foreign page
// cannot reach a bridge at home through a name of its own (DNS rebinding).
func (b *Bridge) checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !b.isOurs(r.Host) {
			b.refuse(w, r, http.StatusMisdirectedRequest, refusedHost, "this host name is not served here; see allowed_hosts")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (b *Bridge) isOurs(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if slices.Contains(b.Hosts, host) {
		return true
	}
	a, err := netip.ParseAddr(host)
	return b.Loopback && (host == "localhost" || err == nil && a.IsLoopback())
}

// crossOrigin refuses writes that a foreign page makes with a person's cookies.
// Editors' servers and WebDAV programs send no Origin and pass.
func (b *Bridge) crossOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	for _, origin := range b.Origins {
		if err := guard.AddTrustedOrigin(origin); err != nil {
			b.Log.Error().Err(err).Msg("public_url is not an origin")
		}
	}
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.refuse(w, r, http.StatusForbidden, refusedForeign, "cross-origin request detected")
	}))
	return guard.Handler(next)
}

// isClean tells paths without ".", ".." and empty segments, as the request line
// had them once decoded.
func isClean(p string) bool {
	if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "\x00\\") {
		return false
	}
	for i, segment := range strings.Split(p[1:], "/") {
		last := i == strings.Count(p[1:], "/")
		if segment == "." || segment == ".." || segment == "" && !last {
			return false
		}
	}
	return true
}
