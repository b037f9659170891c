package standins

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"davwopi/bridge/wopi"
	"davwopi/test/office"
)

// A document is one WOPISrc, open in the views of everybody who works on it.
type document struct {
	mu       sync.Mutex // held through a whole operation: a server does one after the other
	session  *office.Session
	text     string // guarded by mu, as all below
	version  int    // grows with every change of text
	modified bool
	conflict bool // Collabora: it asks what should become of it
	views    map[int]*view
	picture  int // bytes of the picture that was put in last
}

// A view is one page of one person.
type view struct {
	number    int
	client    *office.Client
	info      wopi.CheckFileInfo
	doc       *document
	failed    string
	reading   bool
	forceSave bool
}

// request is what a page asks for.
type request struct {
	View int    `json:"view"`
	Op   string `json:"op"`
	Text string `json:"text"`
}

// answer is what came of it.
type answer struct {
	Status int    `json:"status"`
	Name   string `json:"name"`
	Result string `json:"result"` // Collabora's word for what went wrong, "" nothing
	Error  string `json:"error"`
}

// stands is a document as a page shows it.
type stands struct {
	Text     string   `json:"text"`
	Version  int      `json:"version"`
	Modified bool     `json:"modified"`
	Conflict bool     `json:"conflict"`
	Reading  bool     `json:"reading"`
	Picture  int      `json:"picture"`
	Name     string   `json:"name"`
	Views    []person `json:"views"`
}

type person struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// open is what a server does when a form arrives. The first view of a document reads it
// and takes the lock; further ones ask who they are, and ONLYOFFICE locks again with the
// same ID (reference: collabora.md and onlyoffice.md, order of requests).
func (e *Editor) open(ctx context.Context, src string, form url.Values) *view {
	v := &view{client: e.client(src, form)}
	var config struct {
		EditorConfig struct{ Customization struct{ Forcesave bool } }
	}
	if given := form.Get("docs_api_config"); given != "" {
		if err := json.Unmarshal([]byte(given), &config); err != nil {
			e.blame("docs_api_config: " + err.Error())
		}
		v.forceSave = config.EditorConfig.Customization.Forcesave
	}
	e.mu.Lock()
	v.number = len(e.views)
	e.views = append(e.views, v)
	doc := e.docs[src]
	if doc == nil {
		doc = &document{views: map[int]*view{}}
		e.docs[src] = doc
	}
	e.mu.Unlock()
	doc.mu.Lock()
	defer doc.mu.Unlock()
	v.doc = doc
	if err := e.join(ctx, v, doc); err != nil {
		v.failed = err.Error()
		return v
	}
	doc.views[v.number] = v
	return v
}

func (e *Editor) join(ctx context.Context, v *view, doc *document) error {
	if len(doc.views) == 0 {
		s, err := v.client.Open(ctx)
		if err != nil {
			return err
		}
		doc.session, v.info, v.reading = s, s.Info, s.ReadOnly
		doc.text, doc.modified, doc.conflict = string(s.Contents), false, false
		doc.version++
		return nil
	}
	a, err := v.client.CheckFileInfo(ctx)
	if err != nil || a.Status != http.StatusOK {
		return fmt.Errorf("CheckFileInfo: %s %w", a, err)
	}
	if err := a.JSON(&v.info); err != nil {
		return err
	}
	v.reading = !v.info.UserCanWrite
	if !v.reading && doc.session.ReadOnly { // the others only read it
		doc.session, err = v.client.Open(ctx)
		return err
	}
	if e.Kind != wopi.Collabora && !v.reading {
		a, err := v.client.Lock(ctx, doc.session.LockID)
		if err != nil {
			return err
		}
		v.reading = a.Status != http.StatusOK
	}
	return nil
}

func (e *Editor) stand(v *view) stands {
	d := v.doc
	d.mu.Lock()
	defer d.mu.Unlock()
	s := stands{Text: d.text, Version: d.version, Modified: d.modified, Conflict: d.conflict, Reading: v.reading, Picture: d.picture, Name: v.info.BaseFileName, Views: []person{}}
	for _, i := range slices.Sorted(maps.Keys(d.views)) {
		s.Views = append(s.Views, person{i, d.views[i].info.UserFriendlyName})
	}
	return s
}

// carryOut does what a page asks for.
func (e *Editor) carryOut(ctx context.Context, v *view, q request) (answer, error) {
	d := v.doc
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.session == nil {
		return answer{}, fmt.Errorf("nothing is open")
	}
	d.session.Client = v.client // the token of who acted last
	switch q.Op {
	case "type":
		d.text, d.modified = q.Text, true
		d.version++
		return answer{}, nil
	case "save":
		return e.save(ctx, d, false)
	case "overwrite":
		return e.overwrite(ctx, d)
	case "discard":
		d.conflict = false
		delete(d.views, v.number)
		return answer{}, e.join(ctx, v, d)
	case "rename":
		return e.rename(ctx, v, q.Text)
	case "saveas":
		return e.saveAs(ctx, v, q.Text)
	case "picture":
		return e.fetch(ctx, d, q.Text)
	case "token":
		v.client.AccessToken = q.Text
		e.mu.Lock()
		e.tokens = append(e.tokens, q.Text)
		e.mu.Unlock()
		return answer{}, nil
	case "leave":
		return e.leave(ctx, v)
	}
	return answer{}, fmt.Errorf("unknown operation %q", q.Op)
}

func (e *Editor) save(ctx context.Context, d *document, exit bool) (answer, error) {
	a, err := d.session.Save(ctx, []byte(d.text), exit)
	return e.saved(d, a, err, exit)
}

// overwrite is what Collabora does when the person has chosen that in its dialog.
func (e *Editor) overwrite(ctx context.Context, d *document) (answer, error) {
	a, err := d.session.Overwrite(ctx, []byte(d.text))
	return e.saved(d, a, err, false)
}

// saved takes the answer as the real ones do: 200 alone is a success.
func (e *Editor) saved(d *document, a office.Answer, err error, exit bool) (answer, error) {
	e.mu.Lock()
	e.saves = append(e.saves, Save{Text: d.text, Status: a.Status, Token: d.session.Client.AccessToken, Exit: exit})
	e.mu.Unlock()
	out := answer{Status: a.Status}
	switch {
	case err != nil:
		out.Result = "savefailed"
	case a.Status == http.StatusOK:
		d.modified, d.conflict = false, false
	case a.Status == http.StatusConflict:
		d.conflict, out.Result = e.Kind == wopi.Collabora, "documentconflict"
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden, a.Status == http.StatusNotFound:
		out.Result = "saveunauthorized"
	default:
		out.Result = "savefailed"
	}
	return out, nil // an editor goes on
}

// rename sends the name without extension; Collabora, the whole document along with it.
func (e *Editor) rename(ctx context.Context, v *view, name string) (answer, error) {
	var body []byte
	if e.Kind == wopi.Collabora {
		body = []byte(v.doc.text)
	}
	a, err := v.client.RenameFile(ctx, v.doc.session.LockID, name, body)
	if err != nil || a.Status != http.StatusOK {
		return answer{Status: a.Status, Result: "renamefailed"}, err
	}
	var made wopi.RenameFileInfo
	if err := a.JSON(&made); err != nil {
		return answer{}, err
	}
	again, err := v.client.CheckFileInfo(ctx)
	if err != nil {
		return answer{}, err
	}
	return answer{Status: a.Status, Name: made.Name}, again.JSON(&v.info)
}

// saveAs makes a file beside this one; Collabora goes on with it.
func (e *Editor) saveAs(ctx context.Context, v *view, name string) (answer, error) {
	a, err := v.client.PutRelativeSuggested(ctx, name, []byte(v.doc.text))
	if err != nil || a.Status != http.StatusOK {
		return answer{Status: a.Status, Result: "saveasfailed"}, err
	}
	var made wopi.PutRelativeFileInfo
	if err := a.JSON(&made); err != nil {
		return answer{}, err
	}
	return answer{Status: a.Status, Name: made.Name}, nil
}

// fetch gets a picture from the address that the host page named, without a token.
func (e *Editor) fetch(ctx context.Context, d *document, address string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	bytes, err := io.ReadAll(io.LimitReader(res.Body, maxForm))
	if err != nil || res.StatusCode != http.StatusOK {
		return answer{Status: res.StatusCode, Result: "no picture"}, err
	}
	d.picture, d.modified = len(bytes), true
	d.version++
	return answer{Status: res.StatusCode}, nil
}

// leave is a page that is gone. After the last one what is not saved is saved, and the
// lock released.
func (e *Editor) leave(ctx context.Context, v *view) (answer, error) {
	d := v.doc
	delete(d.views, v.number)
	if len(d.views) > 0 || d.session.ReadOnly {
		return answer{}, nil
	}
	ctx = context.WithoutCancel(ctx) // the page is gone with its request
	var out answer
	var err error
	if d.modified {
		out, err = e.save(ctx, d, true)
	}
	if err == nil {
		_, err = d.session.Close(ctx)
	}
	return out, err
}
