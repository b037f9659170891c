package doctor

import (
	"fmt"
	"strings"
	"time"

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
		return append(out, finding(Hint, "edits", "", "%s lets nothing be written: documents open for reading only.", name))
	}
	out = append(out, edits(name, f, used), locking(name, f), halfWritten(name, f, used), dropped(name, used), ids(name, f))
	out = append(out, desktop(name, f, h)...)
	if f.Lock == "works" {
		out = append(out, restart(name, f))
	}
	return append(out, names(name, f)...)
}

// unknown is what is said in the place of [Words] where nothing was measured yet.
func unknown(name string) Finding {
	return finding(Hint, "profile", "", "%s was not measured yet, so it is treated with all care: saves go to a temporary name and are moved over the file, and each is looked at just before. It is measured when somebody who may write has signed in, or now.", name).
		with("a terminal", "davwopi doctor -probe")
}

// rehearsal says when a whole editing was last played through; zero: never.
func rehearsal(name string, at time.Time, wrong int) Finding {
	switch {
	case at.IsZero():
		return finding(Hint, "rehearsal", "", "A whole editing was never played through on %s.", name).with("a terminal", "davwopi rehearse")
	case wrong > 0:
		return finding(Warning, "rehearsal", "", "A whole editing was last played through on %s on %s, and %d parts of it went wrong.", name, day(at), wrong).with("a terminal", "davwopi rehearse")
	}
	return finding(OK, "rehearsal", "", "A whole editing was last played through on %s on %s, and all went well.", name, day(at))
}

func day(t time.Time) string { return t.Local().Format("2 January 2006") }

// products are the kinds of [profile.Facts].Kind as people write them.
var products = map[string]string{"apache": "Apache", "nginx": "nginx", "lighttpd": "lighttpd", "opencloud": "OpenCloud"}

func measured(name string, f profile.Facts) Finding {
	if f.Kind == davbackend.Embedded.Name {
		return finding(OK, "profile", "", "%s is served by davwopi itself.", name)
	}
	what := "a server that is none of those known well"
	if hasNativeID(f) {
		what = "a Nextcloud, or one of its family"
	}
	if f.Kind != "" {
		what = clean(f.Kind)
	}
	if product := products[f.Kind]; product != "" {
		what = product
	}
	if f.Server != "" {
		what += fmt.Sprintf(" (it calls itself %q)", clean(f.Server))
	}
	return finding(OK, "profile", "", "%s was measured on %s: %s.", name, day(f.At), what)
}

// edits is about somebody else's edit between open and save.
func edits(name string, f profile.Facts, used davbackend.Profile) Finding {
	blind := ""
	if f.ETag != "none" && !f.SameSecondEdit {
		blind = " Two edits of equal length within one second look the same to it."
	}
	switch {
	case used.Conditions:
		return finding(OK, "edits", "", "Somebody else's edit between open and save: %s itself refuses the save at that very moment. Both versions are kept, yours as a conflict copy.%s", name, blind)
	case f.Lock == "works":
		return finding(Hint, "edits", "", "Somebody else's edit between open and save: the file is locked, then looked at, then written; both versions are kept. WebDAV programs cannot come in between. A program on the disk or a network drive can, for a moment.%s", blind)
	}
	return finding(Warning, "edits", "", "Somebody else's edit between open and save: it is looked for just before each save. What somebody writes in that moment is lost, since %s has neither locks nor conditions.%s", name, blind)
}

// locking is about other WebDAV programs while a document is open.
func locking(name string, f profile.Facts) Finding {
	switch f.Lock {
	case "works":
		text := "Other WebDAV programs while a document is open: kept out by a lock on " + name
		if f.LockGranted > 0 {
			text += fmt.Sprintf(", for %s at a time and renewed meanwhile", span(time.Duration(f.LockGranted)*time.Second))
		}
		if f.LockShown == "nothing" {
			text += ". They are not told who holds it"
		}
		return finding(OK, "locks", "", "%s.", text)
	case "protects nothing":
		return finding(Warning, "locks", "", "Other WebDAV programs while a document is open: not kept out. %s gives locks, but lets everybody write all the same. Among people who use davwopi a lock is a lock.", name)
	case "none":
		return finding(Warning, "locks", "", "Other WebDAV programs while a document is open: not kept out, %s has no locks. Among people who use davwopi a lock is a lock.", name)
	}
	return finding(Warning, "locks", "", "Other WebDAV programs while a document is open: it could not be found out whether %s keeps them out.", name)
}

// halfWritten is about readers while a save is under way.
func halfWritten(name string, f profile.Facts, used davbackend.Profile) Finding {
	switch {
	case used.Chunked:
		return finding(Hint, "half_written", "", "Half-written files: a save goes up in pieces beside the file. Only while %s then puts them together may a reader see a part.", name)
	case used.InPlace && f.HalfWritten == "old contents":
		return finding(OK, "half_written", "", "Half-written files: %s replaces a file in one step. Whoever reads during a save gets the old one.", name)
	case used.InPlace:
		return finding(Warning, "half_written", "", "Half-written files: %s shows a piece while a save is under way, and lets no other file be moved over a locked one.", name)
	case f.MoveOntoLocked == "refused":
		return finding(Hint, "half_written", "", "Half-written files: a save goes to a temporary name and is moved over the file when it is whole; where %s refuses that, it is written over the file and readers may see a piece.", name)
	}
	return finding(OK, "half_written", "", "Half-written files: a save goes to a temporary name and is moved over the file when it is whole, because %s may show a piece.", name)
}

// dropped is about a connection that breaks, on either side of the save.
func dropped(name string, used davbackend.Profile) Finding {
	old := "only the temporary file is broken"
	switch {
	case used.Chunked:
		old = "the old file stays, and only one piece is sent again"
	case used.InPlace:
		old = "the old file stays"
	}
	return finding(OK, "dropped", "", "A save that breaks off: %s. The bytes are kept here until %s has been seen to have them.", old, name)
}

// ids is about links and open documents after a rename.
func ids(name string, f profile.Facts) Finding {
	if hasNativeID(f) || f.ResourceID {
		return finding(OK, "ids", "", "Renames and moves: %s gives files numbers of its own, so links and open documents follow a file, whoever moved it.", name)
	}
	return finding(Hint, "ids", "", "Renames and moves: those made here are followed. A file that another program renames or moves gets new links, and a document that is open then may have to be opened again.")
}

func hasNativeID(f profile.Facts) bool { return f.NativeID != "" && f.NativeID != "none" }

// desktop is about programs that know nothing of WebDAV.
func desktop(name string, f profile.Facts, h Habits) []Finding {
	var out []Finding
	switch {
	case h.Announce && h.Respect:
		out = append(out, finding(OK, "desktop", "", "Desktop programs on a network drive: LibreOffice is told by its lock file that a document is open here, and the lock files of LibreOffice and Microsoft Office count here."))
	case h.Respect:
		out = append(out, finding(Hint, "desktop", "", "Desktop programs on a network drive are not told that a document is open here. Their own lock files count here.").
			with("davwopi.yaml", "locks:\n  announce_locks: true"))
	default:
		out = append(out, finding(Warning, "desktop", "", "Desktop programs on a network drive: what they have open is not seen here.").
			with("davwopi.yaml", "locks:\n  respect_lock_files: true\n  announce_locks: true"))
	}
	if h.Respect && f.HidesDotfiles {
		out = append(out, finding(Warning, "desktop", "", "%s hides names that begin with a dot, so LibreOffice's lock files are not seen: what is open in LibreOffice on a network drive can be edited here at the same time.", name))
	}
	return out
}

// keeps tells which servers keep their locks through a restart (seen on each).
var keeps = map[string]bool{"apache": true, "lighttpd": true, "embedded": true, "opencloud": true, "nginx": false}

func restart(name string, f profile.Facts) Finding {
	kept, known := keeps[f.Kind]
	switch {
	case kept:
		return finding(OK, "restart", "", "%s restarts while a document is open: its locks stay.", name)
	case known:
		return finding(Hint, "restart", "", "%s restarts while a document is open: it forgets its locks. They are taken again at the next renewal or save, if nobody has changed the file meanwhile.", name)
	}
	return finding(Hint, "restart", "", "%s restarts while a document is open: it may forget its locks. They are then taken again at the next renewal or save, if nobody has changed the file meanwhile.", name)
}

// names is about names that are not taken as they are written.
func names(name string, f profile.Facts) []Finding {
	var out []Finding
	if f.LongestName > 0 && f.LongestName < 255 {
		out = append(out, finding(Hint, "names", "", "%s takes no names longer than %d bytes.", name, f.LongestName))
	}
	var same []string
	if f.CaseIsSame {
		same = append(same, "in capital and small letters")
	}
	if f.NFDIsNFC {
		same = append(same, "in both ways to write an accent")
	}
	if len(same) > 0 {
		out = append(out, finding(Hint, "names", "", "To %s a name %s is the same file.", name, strings.Join(same, " and ")))
	}
	return out
}
