package saves

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"davwopi/davbackend/dav"
)

const (
	// maxCopyName is below what any upstream was seen to refuse (254 bytes).
	maxCopyName = 240
	maxWho      = 40 // bytes of a person's name in a file name
	maxTries    = 100
	tempPrefix  = ".davwopi-"
	tempSuffix  = ".tmp"
)

// tempName is the name of an entry's temporary file on the upstream: hidden, and
// such that nobody else's file is called so.
func tempName(id string) string { return tempPrefix + id + tempSuffix }

// copyNames yields candidates for a copy of the file called name:
// "NAME (conflict WHO DATE).EXT", "NAME (conflict WHO DATE 2).EXT", ...
// who may be empty. Each is a legal name of at most 240 bytes that keeps the
// extension.
func copyNames(name, word, who string, at time.Time) func(attempt int) (string, bool) {
	mark := word
	if who = tame(who); who != "" {
		mark += " " + who
	}
	mark += " " + at.UTC().Format("2006-01-02 15.04.05")
	stem, ext := splitExt(name)
	return func(attempt int) (string, bool) {
		if attempt < 0 || attempt >= maxTries {
			return "", false
		}
		inner := " (" + mark + ")"
		if attempt > 0 {
			inner = fmt.Sprintf(" (%s %d)", mark, attempt+1)
		}
		copyName := cut(stem, maxCopyName-len(inner)-len(ext)) + inner + ext
		return copyName, dav.CheckName(copyName) == nil
	}
}

// CopyNames is how copies beside a file are called, for rooms that make one by
// [Saves.Create]: "NAME (WORD WHO DATE).EXT", numbered until one is free.
func CopyNames(name, word, who string, at time.Time) func(attempt int) (string, bool) {
	return copyNames(name, word, who, at)
}

// splitExt cuts the extension off, dot included. A name that begins with its only
// dot has none, and neither has one whose last part is too long to be one.
func splitExt(name string) (stem, ext string) {
	at := strings.LastIndexByte(name, '.')
	if at <= 0 || len(name)-at > 32 {
		return name, ""
	}
	return name[:at], name[at:]
}

// tame makes a display name fit for a file name on every file system: no
// separators, controls, invisible direction marks or characters that Windows
// refuses, no doubled blanks.
func tame(who string) string {
	if at := strings.Index(who, " via davwopi"); at > 0 {
		who = who[:at]
	}
	who = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Cf, r), strings.ContainsRune(`/\:*?"<>|()`, r):
			return -1
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, who)
	who = strings.Join(strings.Fields(who), " ")
	return strings.TrimRight(cut(who, maxWho), " .")
}

// cut shortens s to at most n bytes without cutting a character in two.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n = max(n, 0)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
