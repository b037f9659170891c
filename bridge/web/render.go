package web

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"sync"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/words"
	"davwopi/oauth"
)

//go:embed views
var views embed.FS

//go:embed assets
var assets embed.FS

// page is what every view gets.
type page struct {
	Brand     string
	Exposed   bool       // what is on the page goes over a network unencrypted
	Title     words.Text // of the window, without the brand
	Person    string     // display name of whoever is signed in, "" nobody
	Admin     bool       // Person sees the check-up
	Nonce     string
	Base      string // prefix of every path
	View      string // which page it is
	Refresh   int    // seconds after which a page without script asks for itself again, 0 never
	Home      string // where the person begins
	Leave     string // for a guest: where to post that they leave, "" they sign out
	Links     bool   // people share files here
	Privacy   string // address of the privacy statement, "" none
	Stamp     string
	Languages []*words.Language
	Body      any
}

// policy is what a page's Content-Security-Policy allows besides our own parts.
type policy struct {
	Frame, Form, Image string   // origins, "" none
	Framed             bool     // pages of this origin may frame it
	ancestors          []string // and of these
}

func (p policy) header(nonce string) string {
	allow := func(name, own string, more string) string {
		return "; " + strings.Join(strings.Fields(name+" "+own+" "+more), " ")
	}
	s := "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'self'; connect-src 'self'; base-uri 'none'"
	s += allow("img-src", "'self'", p.Image) + allow("form-action", "'self'", p.Form)
	if p.Frame != "" {
		s += allow("frame-src", "", p.Frame)
	}
	if p.Framed {
		return s + strings.Join(append([]string{"; frame-ancestors 'self'"}, p.ancestors...), " ")
	}
	return s + "; frame-ancestors 'none'"
}

// parseViews makes one template per language and view, those of a language when it is first
// spoken: that takes longer than the rest of the start. The views are part of the program,
// so a fault in one is a fault of the build that every test finds.
func parseViews() map[*words.Language]func() map[string]*template.Template {
	all := make(map[*words.Language]func() map[string]*template.Template)
	for _, l := range words.All() {
		all[l] = sync.OnceValue(func() map[string]*template.Template {
			common := template.Must(template.New("").Funcs(l.Funcs()).ParseFS(views, "views/layout.html", "views/icons.html", "views/link-item.html", "views/timeline.html"))
			out := make(map[string]*template.Template)
			for _, name := range []string{"folder", "roots", "signin", "leave", "consent", "link", "trouble", "connect", "doctor", "server", "validator", "converting", "document", "opens", "saves", "confirm", "name", "move", "new", "upload", "share", "links", "enter", "host"} {
				out[name] = template.Must(template.Must(common.Clone()).ParseFS(views, "views/"+name+".html"))
			}
			return out
		})
	}
	return all
}

// show answers with a view. who is the zero Principal where nobody is signed in.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, view string, title words.Text, who oauth.Principal, p policy, body any) {
	s.render(w, r, status, page{View: view, Title: title, Person: personName(who), Admin: s.isAdmin(who), Body: body}, p)
}

// showLive is show for a page that asks for itself again.
func (s *site) showLive(w http.ResponseWriter, r *http.Request, view string, title words.Text, who oauth.Principal, body any, seconds int) {
	s.render(w, r, http.StatusOK, page{View: view, Title: title, Person: personName(who), Admin: s.isAdmin(who), Body: body, Refresh: seconds}, policy{})
}

// render fills in what every page has, and answers with it.
func (s *site) render(w http.ResponseWriter, r *http.Request, status int, pg page, p policy) {
	var random [18]byte
	_, _ = rand.Read(random[:]) // never fails, says crypto/rand
	pg.Brand, pg.Exposed, pg.Base, pg.Home, pg.Stamp = s.brand(), s.Pages.Exposed, s.base, s.path(), s.stamp
	pg.Nonce = base64.StdEncoding.EncodeToString(random[:])
	pg.Links, pg.Privacy, pg.Languages = s.Shares != nil, s.Pages.Privacy, words.All()
	if s.guest() {
		pg.Leave = s.path("leave")
	}
	root := "layout"
	if pg.View == "host" {
		root = "host"
	}
	var b bytes.Buffer
	language := words.For(r)
	if err := s.views[language]()[pg.View].ExecuteTemplate(&b, root, pg); err != nil {
		s.Log(r, fmt.Errorf("web: view %s: %w", pg.View, err))
		http.Error(w, language.Say("page.broken"), http.StatusInternalServerError)
		return
	}
	if s.framed(r, pg.View) {
		p.Framed, p.ancestors = true, s.Ancestors
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.header(pg.Nonce))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("Content-Language", language.Tag())
	h.Add("Vary", "Accept-Language, Cookie, Accept-Encoding")
	if s.maySqueeze(r, pg.View) && endpoint.TakesZip(r) {
		h.Set("Content-Encoding", "gzip")
		b = *bytes.NewBuffer(endpoint.Zip(b.Bytes(), gzip.BestSpeed))
	}
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // a browser that went away needs no answer
}

// maySqueeze reports whether a page is sent compressed: lists, which are long. The length of
// what is compressed tells whoever can put something into it whether that is there already;
// so nothing of the address may be on the page, nor may it hold the secret of a link.
func (s *site) maySqueeze(r *http.Request, view string) bool {
	return view == "folder" && s.visit == nil && !r.URL.Query().Has("q")
}

func personName(p oauth.Principal) string {
	if p.Name != "" {
		return p.Name
	}
	return p.Subject
}

// assetStamp changes with every change of an embedded file.
func assetStamp() string {
	sum := sha256.New()
	names, _ := fs.Glob(assets, "assets/*") // the pattern is well formed
	for _, name := range names {
		b, _ := assets.ReadFile(name)
		sum.Write(b)
	}
	sum.Write(words.Script)
	return hex.EncodeToString(sum.Sum(nil)[:6])
}
