package locks

import (
	"encoding/binary"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"davwopi/davbackend/dav"
)

const (
	lockFileLife = 24 * time.Hour // untouched for longer: left behind by a crash
	maxLockFile  = 4 << 10        // bytes that are read of one
	maxHolder    = 200            // runes of a name that somebody else wrote
)

// lockFileKind is whose lock file it is.
type lockFileKind int

const (
	libreOffice lockFileKind = iota + 1 // .~lock.NAME#, text
	msOffice                            // ~$NAME, binary
)

// A lockFileName is a place where a desktop program would put its lock file.
type lockFileName struct {
	kind lockFileKind
	path dav.Path
}

// Word shortens the name of its lock file; Excel and PowerPoint do not.
var (
	wordExtensions = map[string]bool{"doc": true, "docx": true, "docm": true, "dot": true, "dotx": true, "dotm": true, "rtf": true}
	restOfOffice   = map[string]bool{
		"xls": true, "xlsx": true, "xlsm": true, "xlsb": true, "xlt": true, "xltx": true, "xltm": true,
		"ppt": true, "pptx": true, "pptm": true, "pps": true, "ppsx": true, "pot": true, "potx": true, "potm": true,
	}
)

// lockFileNames are the places to look at for the file at p, at most two. Names
// that would become too long for a name are left out: no program could write
// them either.
func lockFileNames(p dav.Path) []lockFileName {
	name := p.Base()
	var out []lockFileName
	add := func(kind lockFileKind, name string) {
		if q, err := p.Parent().Join(name); err == nil {
			out = append(out, lockFileName{kind, q})
		}
	}
	add(libreOffice, ".~lock."+name+"#")
	if office := officeLockName(name); office != "" {
		add(msOffice, office)
	}
	return out
}

// officeLockName is the name that Microsoft's desktop programs give their lock
// file, "" for a file that they do not lock so. Word drops the first two
// characters of names with eight or more before the extension, and one of seven.
func officeLockName(name string) string {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return ""
	}
	extension := strings.ToLower(name[dot+1:])
	switch {
	case restOfOffice[extension]:
		return "~$" + name
	case !wordExtensions[extension]:
		return ""
	}
	drop := 0
	switch n := utf8.RuneCountInString(name[:dot]); {
	case n >= 8:
		drop = 2
	case n == 7:
		drop = 1
	}
	for range drop {
		_, size := utf8.DecodeRuneInString(name)
		name = name[size:]
	}
	return "~$" + name
}

// formatLockFile is the text of LibreOffice's lock file: who, login, host, when,
// profile, ended by a semicolon. The nonce takes the place of the profile, by
// which LibreOffice knows its own lock files.
func formatLockFile(name, nonce string, at time.Time) string {
	return "," + escapeLockFile(cleanHolder(name)) + ",davwopi," + at.UTC().Format("02.01.2006 15:04") + "," + escapeLockFile(nonce) + ";"
}

func escapeLockFile(s string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `;`, `\;`).Replace(s)
}

// parseLockFile reads the name of a person from the text of LibreOffice's lock
// file: the first field, else the login; "" if there is none. Everything is
// hostile: the result is short and printable.
func parseLockFile(text string) string {
	var fields []string
	var b strings.Builder
	escaped := false
scan:
	for _, r := range strings.ToValidUTF8(text, "") {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == ';':
			break scan
		case r == ',':
			if fields = append(fields, b.String()); len(fields) == 2 {
				break scan
			}
			b.Reset()
		default:
			b.WriteRune(r)
		}
	}
	fields = append(fields, b.String())
	for _, f := range fields[:min(2, len(fields))] {
		if f = cleanHolder(f); f != "" {
			return f
		}
	}
	return ""
}

// parseOwnerFile reads the name of a person from Microsoft's lock file: 54 bytes
// with a length and the name in the local code page, then a length and the name
// in UTF-16.
func parseOwnerFile(b []byte) string {
	const wide = 54
	if len(b) >= wide+2 {
		n := int(binary.LittleEndian.Uint16(b[wide:]))
		if rest := b[wide+2:]; n > 0 && n <= maxHolder && len(rest) >= 2*n {
			units := make([]uint16, n)
			for i := range units {
				units[i] = binary.LittleEndian.Uint16(rest[2*i:])
			}
			if name := cleanHolder(string(utf16.Decode(units))); name != "" {
				return name
			}
		}
	}
	if len(b) > 1 && int(b[0]) < len(b) && b[0] < wide {
		return cleanHolder(strings.ToValidUTF8(string(b[1:1+int(b[0])]), ""))
	}
	return ""
}

// cleanHolder makes a name that somebody else wrote fit to be shown: one line,
// printable, short.
func cleanHolder(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.ToValidUTF8(s, "") {
		if n == maxHolder {
			break
		}
		if unicode.IsSpace(r) {
			r = ' '
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			n++
		}
	}
	return strings.TrimSpace(b.String())
}
