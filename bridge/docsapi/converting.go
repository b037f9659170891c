package docsapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

// aboutConvert is what the token of a page is bound to that has a file converted.
const aboutConvert = "convert"

// ConvertToken is the token of a page that has g's file converted, or downloads it in
// another format.
func (d *Docs) ConvertToken(g access.Grant) string {
	return d.Tokens.DeriveDocs(g, access.DocsPage, aboutConvert)
}

// formats are what files can be converted to, by the editor of their kind: for a download,
// and, the first, to be edited.
var formats = map[string][]string{
	"word":  {"docx", "pdf", "odt", "txt"},
	"cell":  {"xlsx", "pdf", "ods", "csv"},
	"slide": {"pptx", "pdf", "odp"},
}

// Downloads are the formats in which a file of that name can be downloaded besides its own.
func Downloads(name string) []string {
	own := fileType(name)
	var list []string
	for _, to := range formats[documentTypes[own]] {
		if to != own {
			list = append(list, to)
		}
	}
	return list
}

// serveConvert is POST /docsapi/convert/{id}: begin a conversion, or ask how far it is.
func (d *Docs) serveConvert(w http.ResponseWriter, r *http.Request) {
	begun, id := time.Now(), idmap.FileID(mux.Vars(r)["id"])
	var asked struct {
		To   string `json:"to"`
		Keep bool   `json:"keep"` // the result becomes a file beside the original
	}
	err := readJSON(r, maxAsk, &asked)
	var c *converting
	var out any
	if err == nil {
		c, err = d.converting(r.Context(), r.Header.Get(HeaderPage), id, asked.To, asked.Keep)
	}
	if err == nil {
		out, err = c.step(r.Context(), asked.Keep)
	}
	var g access.Grant
	if c != nil {
		g = c.q.Grant
	}
	d.hear(r, "Convert", begun, g, id, d.answerPage(w, out, err), err)
}

// A converting is somebody who has a file converted.
type converting struct {
	ask
	request Conversion
	name    string // of the result
}

// converting opens a page's request.
func (d *Docs) converting(ctx context.Context, token string, id idmap.FileID, to string, keep bool) (*converting, error) {
	g, err := d.Tokens.OpenDocs(ctx, token, access.DocsPage, id, aboutConvert)
	if err != nil {
		return nil, err
	}
	as := looking
	if keep {
		as = endpoint.Entry{Edit: true, Denied: http.StatusForbidden, Account: true}
	}
	c := &converting{ask: ask{Docs: d}}
	if c.server, err = d.server(g.Editor); err != nil {
		return nil, err
	}
	if c.q, err = d.reach(ctx, g, as); err != nil {
		return nil, err
	}
	t, err := d.Seen(ctx, c.q)
	if err != nil {
		return nil, err
	}
	from := fileType(t.File.Name)
	offered := formats[documentTypes[from]]
	stem, _ := wopi.SplitExt(t.File.Name)
	for i, known := range offered {
		if known == to && (!keep || i == 0) && to != from {
			c.name = stem + "." + to
			c.request = Conversion{
				Key: string(id) + "-" + t.File.Revision.Version + "-" + to, FileType: from, Output: to, Title: c.name,
				URL: d.address(d.Tokens.DeriveDocs(g, access.DocsDownload, aboutBytes), "bytes", string(id)),
			}
			return c, nil
		}
	}
	return nil, ConversionError(-7)
}

// step asks how far the conversion is. The last one makes the file, if it is to be kept.
func (c *converting) step(ctx context.Context, keep bool) (any, error) {
	p, err := c.server.Convert(ctx, c.request)
	if err != nil {
		return nil, err
	}
	if !p.Done || !keep {
		return map[string]any{"percent": p.Percent, "done": p.Done}, nil
	}
	body, err := c.server.fetch(ctx, p.URL)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if !sameType(c.request.Output, p.Type) {
		return nil, ConversionError(-3)
	}
	return c.makeBeside(ctx, c.name, body)
}

// converted is POST /docsapi/converted/{id}/{to}: the converted file, for a form of
// the page. The document server has it already, by the key of its conversion.
func (d *Docs) converted(w http.ResponseWriter, r *http.Request) (g access.Grant, status int, err error) {
	refuse := func(err error) (access.Grant, int, error) { return g, refuseGet(w, err), err }
	r.Body = http.MaxBytesReader(w, r.Body, maxAsk)
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return refuse(fmt.Errorf("docsapi: %w: no form", wopi.ErrMalformed))
	}
	ctx := r.Context()
	c, err := d.converting(ctx, r.PostFormValue("token"), idOf(r), mux.Vars(r)["to"], false)
	if err != nil {
		return refuse(err)
	}
	g = c.q.Grant
	waiting, cancel := context.WithTimeout(ctx, convertBack)
	defer cancel()
	p, err := c.server.ConvertWhole(waiting, c.request)
	if err != nil {
		return refuse(err)
	}
	body, err := c.server.fetch(ctx, p.URL)
	if err != nil {
		return refuse(err)
	}
	defer body.Close()
	r.Header.Del("Range") // of a result that may be another one each time
	status, err = pour(w, r, body, body.length, c.name)
	return g, status, err
}
