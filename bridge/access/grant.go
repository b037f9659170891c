package access

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"davwopi/idmap"
	"davwopi/oauth"
)

// Rights say what may be done at most. The zero value is nothing at all.
type Rights int

// The rights, each with those before it.
const (
	View Rights = iota + 1
	Edit
)

// String returns the word of the configuration: "none", "view" or "edit".
func (r Rights) String() string {
	switch r {
	case View:
		return "view"
	case Edit:
		return "edit"
	}
	return "none"
}

// A Grant is an opened access token: who may do what to which file until when. It is not secret: no token can
// be made from it without the secret key.
type Grant struct {
	ID        string // row key of the stored parent grant, not the token; derived tokens have their parent's
	File      idmap.FileID
	Space     idmap.SpaceID
	Upstream  string
	Principal oauth.Principal
	Session   string       // what it ends with: browser session id, [PhonePrefix] and a phone's sign-in, [DAVPrefix] and an app password's ID; "" nothing
	Rights    Rights       // a ceiling; what [Rules] and the upstream say now is asked on every request
	Editor    string       // configured URL of the editor it was made for, "" any (containers, API without editor)
	Scope     idmap.FileID // the container or file above which this grant cannot see; "" everything of the space
	Share     string       // ID of the link through which it was made, "" none; the grant ends with it
	Expires   time.Time    // UTC, whole milliseconds; of a save-only grant: the end of the reprieve
	Derived   bool         // opened from a derived token
	SaveOnly  bool         // signed out or expired during an editing: only what saves the work is allowed

	// Behind is whoever made the link that let a guest in; the guest never may more than they. Zero for others.
	Behind oauth.Principal
}

// How the sessions of grants begin that no browser has.
const (
	PhonePrefix = "phone:" // an Office app got them for its access token
	DAVPrefix   = "dav:"   // a WebDAV program got them as properties, with an app password
)

// Paged reports whether g was made for a page of ours in somebody's browser, which does what an editor asks of it.
func (g Grant) Paged() bool {
	return g.Session != "" && !strings.HasPrefix(g.Session, PhonePrefix) && !strings.HasPrefix(g.Session, DAVPrefix)
}

// Guest reports whether g belongs to somebody without an account: no renaming, no deleting, no sharing further.
func (g Grant) Guest() bool { return g.Principal.Issuer == oauth.IssuerShare }

// Member is the key under which an editing remembers this grant, stored or derived. It is not the token and is
// no use without it. Stored: the grant's ID. Derived: the parent's ID, ":", and the file.
func (g Grant) Member() string {
	if g.Derived {
		return g.ID + ":" + string(g.File)
	}
	return g.ID
}

// maxGrantText bounds the texts of a grant, in bytes.
const maxGrantText = 2048

// check says whether g may be stored. A grant without a person, a file or rights must never come to be.
func (g Grant) check() error {
	if err := g.Principal.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrGrant, err)
	}
	switch {
	case !isFile(g.File):
		return fmt.Errorf("%w: bad file ID", ErrGrant)
	case g.Scope != "" && !isFile(g.Scope):
		return fmt.Errorf("%w: bad scope", ErrGrant)
	case g.Rights != View && g.Rights != Edit:
		return fmt.Errorf("%w: no rights", ErrGrant)
	case g.Upstream == "" || !storable(g.Upstream):
		return fmt.Errorf("%w: bad upstream", ErrGrant)
	case !storable(g.Editor) || !storable(g.Session):
		return fmt.Errorf("%w: bad editor or session", ErrGrant)
	case g.Share != "" && (!oauth.IsID(g.Share) || g.Scope == ""):
		return fmt.Errorf("%w: a link without a scope", ErrGrant)
	case g.Guest() && g.Share == "":
		return fmt.Errorf("%w: a guest without a link", ErrGrant)
	}
	return nil
}

// isFile is the form of a file ID (DESIGN: 26 characters [a-z2-7]), which derived tokens rely upon: their
// fields are told apart by their length.
func isFile(id idmap.FileID) bool { return oauth.IsID(string(id)) }

func storable(s string) bool {
	if len(s) > maxGrantText || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}
