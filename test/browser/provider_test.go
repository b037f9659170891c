package browser

import (
	"fmt"
	"net"
	"testing"

	"davwopi/test/daemon"
	"davwopi/test/idp"
)

// TestSignInAtAProvider in a real browser, at both real providers: sign in, edit, sign out, be asked again.
func TestSignInAtAProvider(t *testing.T) {
	driver := Start(t)
	for name, start := range map[string]func(testing.TB, idp.Options) *idp.Real{"zitadel": idp.Zitadel, "panva": idp.Panva} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			listen := l.Addr().String()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			p := start(t, idp.Options{Redirect: "http://" + listen + "/signin/callback", Office: "https://localhost",
				Gone: "http://" + listen + "/signedout", API: "https://files.example.test"})
			d := daemon.StartAt(t, fmt.Sprintf("sign_in: {oidc: {issuer: %q, name: Example ID, client_id: davwopi, client_secret: s3cret}}\n", p.Issuer), listen)
			d.Write("notes.txt", "one\n")
			shots := newShots(t)
			w := driver.Open(t, 1200, 800)
			login := func() {
				t.Helper()
				user := "input[name=username]" // zitadel's page
				if name == "panva" {
					user = "input[name=login]"
				}
				w.Until("the provider asks for a name", func() (there bool) {
					w.Run(`return document.querySelector('`+user+`') !== null`, &there)
					return there
				})
				w.Type(user, p.User)
				w.Type("input[name=password]", p.Password)
				w.Run(`document.querySelector('form').querySelector('button, input[type=submit]').click()`, nil)
			}
			w.Go(d.URL)
			login()
			w.Sees("notes.txt")
			w.Sees("Sign out")
			shots.take(w, "90-provider-"+name+"-list")
			w.Console() // what the provider's own pages complain about is not ours
			open(w, "notes.txt")
			w.Sees("All changes saved")
			w.Type("#text", control+end+release+"two\n"+control+"s"+release)
			w.Sees("Saved at")
			if got := d.Read("notes.txt"); got != "one\ntwo\n" {
				t.Errorf("on disk: %q", got)
			}
			w.Click("#close")
			w.Frame("")
			w.Sees("Sign out")
			clean(t, w)
			w.Click(".person button")
			shots.take(w, "91-provider-"+name+"-leaving")
			w.Until("the way back from the provider", func() (back bool) {
				// panva asks whether one is sure.
				w.Run(`document.querySelector('button[value=yes]')?.click(); return location.pathname === '/signin'`, &back)
				return back
			})
			w.Sees("Sign in with Example ID")
			shots.take(w, "92-provider-"+name+"-out")
			w.Run(`document.querySelector('a.primary').click()`, nil)
			login()
			w.Sees("notes.txt")
		})
	}
}

// TestTheProviderIsDown: the page says so, and how to go on.
func TestTheProviderIsDown(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "sign_in: {oidc: {issuer: 'http://127.0.0.1:1', name: Example ID, client_id: davwopi}}\n")
	w := driver.Open(t, 390, 700)
	w.Go(d.URL)
	w.Sees("Example ID cannot be asked right now")
	w.Sees("Sign in with Example ID")
	newShots(t).take(w, "93-provider-down")
}
