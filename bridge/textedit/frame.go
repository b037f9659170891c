package textedit

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/words"
	"davwopi/idmap"
)

// MaxBytes is the size of the largest file that the page opens.
const MaxBytes = 5 << 20

// maxForm bounds the body of the form that opens the frame.
const maxForm = 16 << 10

//go:embed assets
var assets embed.FS

// Editor serves the frame and its parts. URLs must be set before use; the rest
// is ready as it is. Safe for concurrent use.
type Editor struct {
	URLs endpoint.URLs
	// Ancestors are origins whose pages may frame the host page, and with it this one.
	Ancestors []string
}

// frameData is what the script is told. It is JSON in the page, not in any
// address.
type frameData struct {
	File     string `json:"file"`     // address of the files endpoint, on this origin
	Token    string `json:"token"`    // access token
	Expires  int64  `json:"expires"`  // access_token_ttl: ms since 1970, 0 unknown
	Key      string `json:"key"`      // file ID: names this file in sessionStorage
	Edit     bool   `json:"edit"`     // the action was edit, not view
	Holder   string `json:"holder"`   // who had the file when the host page was made, "" nobody
	Download string `json:"download"` // address of the file's bytes for the person
	Folder   string `json:"folder"`   // where to go without a host page
	MaxBytes int64  `json:"maxBytes"`
}

// scripts are those of the page, in their order: each uses what the earlier ones name.
var scripts = []string{"words.js", "shown.js", "hosting.js", "wopi.js", "text.js", "area.js", "editor.js"}

// kinds are the types of the parts.
var kinds = map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".js": "text/javascript; charset=utf-8"}

type framePage struct {
	Nonce   string
	Base    string
	Stamp   string
	Scripts []string
	Data    frameData
}

// Mount adds the editor's routes: POST /textedit/frame, and its style, script
// and icon.
func (e Editor) Mount(r *mux.Router) {
	pages := make(map[*words.Language]*template.Template)
	for _, l := range words.All() {
		pages[l] = template.Must(template.New("frame.html").Funcs(l.Funcs()).ParseFS(assets, "assets/frame.html"))
	}
	stamp := assetStamp()
	r.Methods(http.MethodPost).Path("/textedit/frame").HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		e.serveFrame(w, req, pages[words.For(req)], stamp)
	})
	r.Methods(http.MethodGet, http.MethodHead).Path("/textedit/frame").HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		// Reached by typing the address or by a restored tab: the way in is the list.
		http.Redirect(w, req, e.path(""), http.StatusSeeOther)
	})
	for _, name := range append([]string{"editor.css", "icon.svg"}, scripts...) {
		b, _ := asset(name) // embedded: it is there or the build failed
		r.Methods(http.MethodGet, http.MethodHead).Path("/textedit/" + name).HandlerFunc(endpoint.NewAsset(name, kinds[path.Ext(name)], b).Serve)
	}
}

// serveFrame answers the host page's form.
func (e Editor) serveFrame(w http.ResponseWriter, r *http.Request, page *template.Template, stamp string) {
	var nonce [18]byte
	_, _ = rand.Read(nonce[:]) // never fails, says crypto/rand
	n := base64.StdEncoding.EncodeToString(nonce[:])
	frameHeaders(w.Header(), n, e.Ancestors)
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	data, err := e.frameData(r)
	if err != nil {
		http.Error(w, words.For(r).Say("edit.not_alone"), http.StatusBadRequest)
		return
	}
	var b bytes.Buffer
	err = page.Execute(&b, framePage{
		Nonce: n, Base: e.path("textedit"), Stamp: stamp,
		Scripts: scripts, Data: data,
	})
	if err != nil {
		http.Error(w, words.For(r).Say("edit.not_made"), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = b.WriteTo(w) // the browser that went away needs no answer
}

// path is an address of ours on this origin.
func (e Editor) path(rest string) string {
	return strings.TrimSuffix(e.URLs.Public.EscapedPath(), "/") + "/" + rest
}

var errFrame = errors.New("textedit: not a form of the host page")

// frameData reads the form and the query. A WOPISrc that is not exactly one of
// ours is refused, so that the page never sends a token to another place.
func (e Editor) frameData(r *http.Request) (frameData, error) {
	if err := r.ParseForm(); err != nil {
		return frameData{}, fmt.Errorf("%w: %w", errFrame, err)
	}
	id, err := e.ownFile(queryFold(r.URL.Query(), "wopisrc"))
	if err != nil {
		return frameData{}, err
	}
	token := r.PostForm.Get("access_token")
	if token == "" || len(token) > 4096 || strings.ContainsFunc(token, notUnreserved) {
		return frameData{}, fmt.Errorf("%w: access_token", errFrame)
	}
	expires, err := strconv.ParseInt(r.PostForm.Get("access_token_ttl"), 10, 64)
	if err != nil || expires < 0 {
		expires = 0
	}
	return frameData{
		File:     e.path("wopi/files/" + string(id)),
		Token:    token,
		Expires:  expires,
		Key:      string(id),
		Edit:     queryFold(r.URL.Query(), "mode") != "view",
		Holder:   cut(r.PostForm.Get("davwopi_holder"), 200),
		Download: e.path("download/" + string(id)),
		Folder:   e.path(""),
		MaxBytes: MaxBytes,
	}, nil
}

// ownFile returns the file whose WOPISrc is src.
func (e Editor) ownFile(src string) (idmap.FileID, error) {
	id, err := idmap.ParseFileID(src[strings.LastIndexByte(src, '/')+1:])
	if err != nil {
		return "", fmt.Errorf("%w: WOPISrc: %w", errFrame, err)
	}
	if src != e.URLs.WOPISrc(id) && src != e.URLs.Public.JoinPath("wopi", "files", string(id)).String() {
		return "", fmt.Errorf("%w: WOPISrc of another host", errFrame)
	}
	return id, nil
}

// queryFold finds a query parameter whatever the case of its name: templates of
// discovery documents write WOPISrc and wopisrc.
func queryFold(q url.Values, name string) string {
	for k, v := range q {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

func notUnreserved(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~", r))
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// frameHeaders sets what holds for the frame: it runs its own script, talks to
// its own origin and is framed by its own origin, and by what may frame that.
func frameHeaders(h http.Header, nonce string, ancestors []string) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"'; style-src 'self'; img-src 'self'; "+
		"connect-src 'self'; form-action 'none'; base-uri 'none'; "+strings.Join(append([]string{"frame-ancestors 'self'"}, ancestors...), " "))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// asset is an embedded file.
func asset(name string) ([]byte, error) {
	if name == "words.js" {
		return words.Script, nil
	}
	return assets.ReadFile("assets/" + name)
}

// assetStamp changes with every change of an embedded file.
func assetStamp() string {
	h := sha256.New()
	for _, name := range append([]string{"editor.css"}, scripts...) {
		b, _ := asset(name) // embedded: it is there or the build failed
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}
