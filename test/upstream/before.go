package upstream

import (
	"net/http"
	"slices"
	"strings"

	"davwopi/davbackend/dav"
)

// before changes r as the quirks want and returns the status with which it is refused
// at once, 0 if the server goes on.
func (s *Server) before(q Quirks, r *http.Request) int {
	steps := []func(Quirks, *http.Request) int{
		s.slashQuirks, s.parentQuirk, s.etagQuirks, s.lockMethodQuirks, s.tokenQuirks, s.moveQuirks,
	}
	for _, step := range steps {
		if status := step(q, r); status != 0 {
			return status
		}
	}
	if q.IgnoreConditions {
		r.Header.Del("If-Match")
		r.Header.Del("If-None-Match")
		withoutETags(r)
	}
	if q.NoRanges {
		r.Header.Del("Range")
	}
	if r.Method == "PROPPATCH" && q.NoDeadProps != 0 {
		return q.NoDeadProps
	}
	return 0
}

func (s *Server) slashQuirks(q Quirks, r *http.Request) int {
	status := 0
	switch r.Method {
	case "PROPFIND":
		status = q.PropfindSlash
	case "MOVE", "COPY", "DELETE":
		status = q.SlashStatus
	}
	if status == 0 || strings.HasSuffix(r.URL.Path, "/") || !s.look(s.pathOf(r.URL.Path)).Collection {
		return 0
	}
	return status
}

func (s *Server) parentQuirk(q Quirks, r *http.Request) int {
	if q.MissingParent == 0 || r.Method != "MOVE" {
		return 0
	}
	if to, ok := s.destination(r); ok && !s.look(to.Parent()).found {
		return q.MissingParent
	}
	return 0
}

func (s *Server) etagQuirks(q Quirks, r *http.Request) int {
	ifMatch := r.Header.Get("If-Match")
	if q.ETagConflict && ifMatch != "" && ifMatch != string(s.look(s.pathOf(r.URL.Path)).ETag) {
		return http.StatusConflict
	}
	if q.WeakETags {
		if ifMatch != "" && ifMatch != "*" {
			return http.StatusPreconditionFailed
		}
		r.Header.Set("If", strings.ReplaceAll(r.Header.Get("If"), `[W/"`, `["`))
		if r.Header.Get("If") == "" {
			r.Header.Del("If")
		}
	}
	if !q.IfETagFails {
		return 0
	}
	lists, err := dav.ParseIf(r.Header.Get("If"))
	if err != nil {
		return 0
	}
	for _, l := range lists {
		if slices.ContainsFunc(l.Conditions, func(c dav.Condition) bool { return c.Token != "" }) {
			return 0
		}
	}
	return http.StatusPreconditionFailed
}

// withoutETags drops entity tags from If, and lists that held nothing else.
func withoutETags(r *http.Request) {
	lists, err := dav.ParseIf(r.Header.Get("If"))
	if err != nil {
		return
	}
	var kept dav.If
	for _, l := range lists {
		l.Conditions = slices.DeleteFunc(l.Conditions, func(c dav.Condition) bool { return c.ETag != "" })
		if len(l.Conditions) > 0 {
			kept = append(kept, l)
		}
	}
	r.Header.Del("If")
	if len(kept) > 0 {
		r.Header.Set("If", kept.String())
	}
}

func (s *Server) lockMethodQuirks(q Quirks, r *http.Request) int {
	if r.Method != "LOCK" && r.Method != "UNLOCK" {
		return 0
	}
	if q.NoLock {
		return http.StatusNotImplemented
	}
	p := s.pathOf(r.URL.Path)
	if r.Method == "UNLOCK" {
		if q.UnlockLies && !s.holds(p, strings.Trim(r.Header.Get("Lock-Token"), "<>")) {
			return http.StatusNoContent
		}
		return 0
	}
	if q.LockUnmapped500 && !s.look(p).found {
		return http.StatusInternalServerError
	}
	if asked := dav.ParseTimeout(r.Header.Get("Timeout")); q.LockCap > 0 && (asked == 0 || asked > q.LockCap) {
		r.Header.Set("Timeout", dav.FormatTimeout(q.LockCap))
	}
	if q.RefreshLies && r.Header.Get("If") != "" {
		if held := s.look(p).Locks; len(held) > 0 {
			r.Header.Set("If", dav.If{{Conditions: []dav.Condition{{Token: held[0].Token}}}}.String())
		}
	}
	return 0
}

func (s *Server) holds(p dav.Path, token string) bool {
	return slices.ContainsFunc(s.look(p).Locks, func(l dav.ActiveLock) bool { return string(l.Token) == token })
}

// tokenQuirks are about the header in which writes show a token.
func (s *Server) tokenQuirks(q Quirks, r *http.Request) int {
	if r.Method == "LOCK" || r.Method == "UNLOCK" {
		return 0
	}
	shown, condition := r.Header.Get("Lock-Token"), r.Header.Get("If")
	if q.RefuseBoth && shown != "" && condition != "" {
		return http.StatusPreconditionFailed
	}
	if q.RefuseTagPath && strings.Contains(condition, "</") {
		return http.StatusPreconditionFailed
	}
	if !q.OnlyLockToken {
		return 0
	}
	if condition != "" && len(s.look(s.pathOf(r.URL.Path)).Locks) > 0 {
		return http.StatusLocked
	}
	r.Header.Del("If")
	if token, err := dav.ParseLockToken(shown); err == nil {
		one := []dav.Condition{{Token: token}}
		value := dav.If{{Tag: "http://" + r.Host + r.URL.EscapedPath(), Conditions: one}}
		if to := r.Header.Get("Destination"); to != "" {
			value = append(value, dav.IfList{Tag: to, Conditions: one})
		}
		r.Header.Set("If", value.String())
	}
	return 0
}

func (s *Server) moveQuirks(q Quirks, r *http.Request) int {
	if !q.MoveLocked412 || r.Method != "MOVE" {
		return 0
	}
	if to, ok := s.destination(r); ok && len(s.look(to).Locks) > 0 {
		return http.StatusPreconditionFailed
	}
	return 0
}
