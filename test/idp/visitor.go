package idp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// A Visitor is a browser without a screen: it keeps cookies, follows redirects and fills in forms.
type Visitor struct {
	User, Password string

	t    testing.TB
	http *http.Client
	stop string // addresses that begin so are not asked for
}

// NewVisitor is a fresh browser. It stops before addresses that begin with stop, "" never: an app takes those itself.
func NewVisitor(t testing.TB, user, password, stop string) *Visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Visitor{User: user, Password: password, t: t, stop: stop, http: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// A Page is where a visitor has arrived.
type Page struct {
	URL    *url.URL
	Status int // 0: stopped before it
	Body   string
	Header http.Header
}

// Go opens an address, follows redirects, and signs in where it is asked to.
func (v *Visitor) Go(address string) Page {
	v.t.Helper()
	p := v.follow(http.MethodGet, address, nil)
	for range 5 {
		form, ok := v.loginForm(p)
		if !ok {
			return p
		}
		p = v.follow(http.MethodPost, form.action, form.values)
	}
	v.t.Fatalf("asked to sign in again and again at %s", p.URL)
	return p
}

// Look is Go without signing in.
func (v *Visitor) Look(address string) Page {
	v.t.Helper()
	return v.follow(http.MethodGet, address, nil)
}

// Post sends a form of the visitor's own, and goes on as Go does.
func (v *Visitor) Post(address string, values url.Values) Page {
	v.t.Helper()
	return v.follow(http.MethodPost, address, values)
}

// Confirm sends the form of a page that has the button, else the first one, with its hidden fields and the button.
func (v *Visitor) Confirm(p Page, button, value string) Page {
	v.t.Helper()
	var sent *form
	walk(v.parse(p), func(n *html.Node) {
		if n.Data != "form" {
			return
		}
		has := false
		walk(n, func(in *html.Node) { has = has || in.Data == "button" && attr(in, "name") == button })
		if sent == nil || has {
			f, _ := v.fill(n)
			sent = &f
		}
	})
	if sent == nil {
		v.t.Fatalf("no form: %s", p)
	}
	to, err := p.URL.Parse(sent.action)
	if err != nil {
		v.t.Fatal(err)
	}
	sent.values.Set(button, value)
	return v.follow(http.MethodPost, to.String(), sent.values)
}

func (v *Visitor) follow(method, address string, values url.Values) Page {
	v.t.Helper()
	for range 20 {
		if v.stop != "" && strings.HasPrefix(address, v.stop) {
			u, err := url.Parse(address)
			if err != nil {
				v.t.Fatal(err)
			}
			return Page{URL: u}
		}
		r, err := http.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(values.Encode()))
		if err != nil {
			v.t.Fatal(err)
		}
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := v.http.Do(r)
		if err != nil {
			v.t.Fatal(err)
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			v.t.Fatal(err)
		}
		next, err := resp.Location()
		if errors.Is(err, http.ErrNoLocation) || resp.StatusCode/100 != 3 {
			return Page{URL: r.URL, Status: resp.StatusCode, Body: string(body), Header: resp.Header}
		}
		if err != nil {
			v.t.Fatal(err)
		}
		if resp.StatusCode != http.StatusTemporaryRedirect && resp.StatusCode != http.StatusPermanentRedirect {
			method, values = http.MethodGet, nil
		}
		address = next.String()
	}
	v.t.Fatalf("sent around in circles, last to %s", address)
	return Page{}
}

type form struct {
	action string
	values url.Values
}

// loginForm is the form with a password field on a page, filled in.
func (v *Visitor) loginForm(p Page) (f form, ok bool) {
	var forms []*html.Node
	walk(v.parse(p), func(n *html.Node) {
		if n.Data == "form" {
			forms = append(forms, n)
		}
	})
	for _, n := range forms {
		if f, ok := v.fill(n); ok {
			to, err := p.URL.Parse(f.action)
			if err != nil {
				v.t.Fatal(err)
			}
			f.action = to.String()
			return f, true
		}
	}
	return form{}, false
}

// fill fills in a form; false if it does not ask for a password.
func (v *Visitor) fill(n *html.Node) (f form, asks bool) {
	f = form{attr(n, "action"), url.Values{}}
	walk(n, func(in *html.Node) {
		name := attr(in, "name")
		if in.Data != "input" || name == "" {
			return
		}
		kind := attr(in, "type")
		if name == "password" {
			kind = name // not every page hides what is typed
		}
		switch kind {
		case "password":
			f.values.Set(name, v.Password)
			asks = true
		case "hidden":
			f.values.Set(name, attr(in, "value"))
		case "", "text", "email":
			f.values.Set(name, v.User)
		}
	})
	return f, asks
}

func (v *Visitor) parse(p Page) *html.Node {
	v.t.Helper()
	doc, err := html.Parse(strings.NewReader(p.Body))
	if err != nil {
		v.t.Fatal(err)
	}
	return doc
}

func walk(n *html.Node, visit func(*html.Node)) {
	if n.Type == html.ElementNode {
		visit(n)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, visit)
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// String says where and what, for failed tests.
func (p Page) String() string { return fmt.Sprintf("%d at %s\n%.2000s", p.Status, p.URL, p.Body) }
