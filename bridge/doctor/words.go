package doctor

import (
	"strconv"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/words"
	"davwopi/davbackend"
	"davwopi/davbackend/profile"
)

// Words says in plain words what of somebody's work is protected by what on an upstream,
// and what is not. name is what people call it; f is what measuring has shown; used is
// how saves and locks treat it for that; h is what the configuration says. It is pure:
// the findings have no About. The first one says what was measured, and when.
func Words(name string, f profile.Facts, used davbackend.Profile, h Habits) []Finding {
	out := []Finding{measured(name, f)}
	if f.ReadOnly {
		return append(out, finding(Hint, "edits", "", words.Say("found.edits.read_only", "name", name)))
	}
	out = append(out, edits(name, f, used), locking(name, f), halfWritten(name, f, used), dropped(name, used), ids(name, f))
	out = append(out, desktop(name, f, h)...)
	if f.Lock == "works" {
		out = append(out, restart(name, f))
	}
	return append(out, names(name, f)...)
}

// unknown is what is said in the place of [Words] where nothing was measured yet.
func unknown(name, user string) Finding {
	return finding(Hint, "profile", "", words.Say("found.profile.none", "name", name)).
		with(terminal("davwopi doctor -probe" + user))
}

// userFlag is what a command needs that goes to u where everybody has an account of their own.
func userFlag(u *access.Upstream) string {
	if u.Service == nil {
		return " -user NAME"
	}
	return ""
}

// rehearsal says when a whole editing was last played through; zero: never.
func rehearsal(name, user string, at time.Time, wrong int) Finding {
	again := terminal("davwopi rehearse" + user)
	switch {
	case at.IsZero():
		return finding(Hint, "rehearsal", "", words.Say("found.rehearsal.never", "name", name)).with(again)
	case wrong > 0:
		return finding(Warning, "rehearsal", "", words.Say("found.rehearsal.wrong", "name", name, "day", words.Date(at), "n", wrong)).with(again)
	}
	return finding(OK, "rehearsal", "", words.Say("found.rehearsal.well", "name", name, "day", words.Date(at)))
}

// products are the kinds of [profile.Facts].Kind as people write them.
var products = map[string]string{"apache": "Apache", "nginx": "nginx", "lighttpd": "lighttpd", "opencloud": "OpenCloud"}

func measured(name string, f profile.Facts) Finding {
	if f.Kind == davbackend.Embedded.Name {
		return finding(OK, "profile", "", words.Say("found.profile.own", "name", name))
	}
	what := words.Say("found.profile.unknown_kind")
	if hasNativeID(f) {
		what = words.Say("found.profile.family")
	}
	if f.Kind != "" {
		what = words.Plain(clean(f.Kind))
	}
	if product := products[f.Kind]; product != "" {
		what = words.Plain(product)
	}
	if f.Server != "" {
		what = words.Say("found.profile.calls_itself", "what", what, "quoted", strconv.Quote(clean(f.Server)))
	}
	return finding(OK, "profile", "", words.Say("found.profile.measured", "name", name, "day", words.Date(f.At), "what", what))
}

// edits is about somebody else's edit between open and save.
func edits(name string, f profile.Facts, used davbackend.Profile) Finding {
	var blind words.Text
	if f.ETag != "none" && !f.SameSecondEdit {
		blind = words.Say("found.edits.blind")
	}
	switch {
	case used.Conditions:
		return finding(OK, "edits", "", words.Say("found.edits.refused", "name", name, "blind", blind))
	case f.Lock == "works":
		return finding(Hint, "edits", "", words.Say("found.edits.locked", "blind", blind))
	}
	return finding(Warning, "edits", "", words.Say("found.edits.lost", "name", name, "blind", blind))
}

// locking is about other WebDAV programs while a document is open.
func locking(name string, f profile.Facts) Finding {
	switch f.Lock {
	case "works":
		var unnamed words.Text
		if f.LockShown == "nothing" {
			unnamed = words.Say("found.locks.unnamed")
		}
		if f.LockGranted > 0 {
			return finding(OK, "locks", "", words.Say("found.locks.renewed", "name", name, "time", time.Duration(f.LockGranted)*time.Second, "unnamed", unnamed))
		}
		return finding(OK, "locks", "", words.Say("found.locks.kept_out", "name", name, "unnamed", unnamed))
	case "protects nothing":
		return finding(Warning, "locks", "", words.Say("found.locks.useless", "name", name))
	case "none":
		return finding(Warning, "locks", "", words.Say("found.locks.none", "name", name))
	}
	return finding(Warning, "locks", "", words.Say("found.locks.unknown", "name", name))
}

// halfWritten is about readers while a save is under way.
func halfWritten(name string, f profile.Facts, used davbackend.Profile) Finding {
	switch {
	case used.Chunked:
		return finding(Hint, "half_written", "", words.Say("found.half.chunked", "name", name))
	case used.InPlace && f.HalfWritten == "old contents":
		return finding(OK, "half_written", "", words.Say("found.half.one_step", "name", name))
	case used.InPlace:
		return finding(Warning, "half_written", "", words.Say("found.half.shown", "name", name))
	case f.MoveOntoLocked == "refused":
		return finding(Hint, "half_written", "", words.Say("found.half.either", "name", name))
	}
	return finding(OK, "half_written", "", words.Say("found.half.moved", "name", name))
}

// dropped is about a connection that breaks, on either side of the save.
func dropped(name string, used davbackend.Profile) Finding {
	switch {
	case used.Chunked:
		return finding(OK, "dropped", "", words.Say("found.dropped.piece", "name", name))
	case used.InPlace:
		return finding(OK, "dropped", "", words.Say("found.dropped.old", "name", name))
	}
	return finding(OK, "dropped", "", words.Say("found.dropped.temporary", "name", name))
}

// ids is about links and open documents after a rename.
func ids(name string, f profile.Facts) Finding {
	if hasNativeID(f) || f.ResourceID {
		return finding(OK, "ids", "", words.Say("found.ids.followed", "name", name))
	}
	return finding(Hint, "ids", "", words.Say("found.ids.own"))
}

func hasNativeID(f profile.Facts) bool { return f.NativeID != "" && f.NativeID != "none" }

// desktop is about programs that know nothing of WebDAV.
func desktop(name string, f profile.Facts, h Habits) []Finding {
	var out []Finding
	switch {
	case h.Announce && h.Respect:
		out = append(out, finding(OK, "desktop", "", words.Say("found.desktop.both")))
	case h.Respect:
		out = append(out, finding(Hint, "desktop", "", words.Say("found.desktop.not_told")).
			with(yaml("locks:\n  announce_locks: true")))
	default:
		out = append(out, finding(Warning, "desktop", "", words.Say("found.desktop.not_seen")).
			with(yaml("locks:\n  respect_lock_files: true\n  announce_locks: true")))
	}
	if h.Respect && f.HidesDotfiles {
		out = append(out, finding(Warning, "desktop", "", words.Say("found.desktop.hidden", "name", name)))
	}
	return out
}

// keeps tells which servers keep their locks through a restart (seen on each).
var keeps = map[string]bool{"apache": true, "lighttpd": true, "embedded": true, "opencloud": true, "nginx": false}

func restart(name string, f profile.Facts) Finding {
	kept, known := keeps[f.Kind]
	switch {
	case kept:
		return finding(OK, "restart", "", words.Say("found.restart.kept", "name", name))
	case known:
		return finding(Hint, "restart", "", words.Say("found.restart.forgets", "name", name))
	}
	return finding(Hint, "restart", "", words.Say("found.restart.unknown", "name", name))
}

// names is about names that are not taken as they are written.
func names(name string, f profile.Facts) []Finding {
	var out []Finding
	if f.LongestName > 0 && f.LongestName < 255 {
		out = append(out, finding(Hint, "names", "", words.Say("found.names.long", "name", name, "longest", f.LongestName)))
	}
	switch {
	case f.CaseIsSame && f.NFDIsNFC:
		out = append(out, finding(Hint, "names", "", words.Say("found.names.same_both", "name", name)))
	case f.CaseIsSame:
		out = append(out, finding(Hint, "names", "", words.Say("found.names.same_case", "name", name)))
	case f.NFDIsNFC:
		out = append(out, finding(Hint, "names", "", words.Say("found.names.same_accents", "name", name)))
	}
	return out
}
