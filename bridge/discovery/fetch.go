package discovery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxDocument bounds a discovery document, in bytes. Microsoft's, the longest
// known, has a tenth of it.
const maxDocument = 4 << 20

// fetch gets and reads the editor's document. Errors say what to do about it
// where the cause is a known one.
func fetch(ctx context.Context, client *http.Client, d Editor) (*document, error) {
	if d.Builtin != nil {
		return parse(bytes.NewReader(d.Builtin()), d)
	}
	if client == nil {
		client = http.DefaultClient
	}
	if d.API == APIDocs {
		return fetchDocs(ctx, client, d)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address(d.URL), nil)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound && d.API != APIWOPI:
		doc, err := fetchDocs(ctx, client, d)
		if !errors.Is(err, errNoScript) {
			return doc, err
		}
		fallthrough
	case res.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("discovery: %s answered 404 (ONLYOFFICE needs wopi.enable: true)", req.URL.Redacted())
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("discovery: %s answered %d", req.URL.Redacted(), res.StatusCode)
	}
	return parse(&bounded{r: res.Body, left: maxDocument}, d)
}

// address returns where the document lies.
func address(editorURL string) string {
	if strings.HasSuffix(editorURL, ".xml") || strings.HasSuffix(editorURL, "/discovery") {
		return editorURL
	}
	return strings.TrimRight(editorURL, "/") + "/hosting/discovery"
}

// scheme is that of the editor's configured URL, "" for the built-in one.
func scheme(editorURL string) string {
	u, err := url.Parse(editorURL)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme
}

// bounded fails, rather than ends, after left bytes: a document that was cut is
// not a document.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errors.New("more than 4 MiB")
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left+1)])
	b.left -= int64(n)
	return n, err
}
