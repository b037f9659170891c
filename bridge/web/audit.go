package web

import (
	"errors"
	"net/http"

	"davwopi/idmap"
	"davwopi/oauth"
)

// A Deed is what [Pages.Audit] is told of.
type Deed struct {
	What  string          // sign_in, sign_out, share, revoke, release, restore, undo, drop, delete, api_key, phone, end_session
	Who   oauth.Principal // zero: nobody that we know
	Tried string          // the user name that was typed, where it was no good
	API   bool            // by a program with an API key, whose name is ID
	File  idmap.FileID
	Name  string // of the document
	ID    string // of the link, the save, the key
	Err   error  // why it came to nothing; nil: it was done
}

// deed tells of something that was done, or of a sign-in that was refused.
func (p *Pages) deed(r *http.Request, d Deed) {
	if p.Audit != nil {
		p.Audit(r, d)
	}
}

// refusedDeed tells of a refusal that somebody may have wanted to force: not of servers that are
// down, and not of tries beyond the limit, each of which follows one that was told.
func (p *Pages) refusedDeed(r *http.Request, d Deed, refusals ...error) {
	var many *oauth.TooManyError
	if d.Err == nil || errors.As(d.Err, &many) {
		return
	}
	for _, refusal := range refusals {
		if errors.Is(d.Err, refusal) {
			p.deed(r, d)
			return
		}
	}
}
