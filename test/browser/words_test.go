package browser

import (
	"net/http"
	"strings"
	"testing"

	"davwopi/test/daemon"
	"davwopi/test/office"
)

// german is a browser whose person reads German.
var german = []look{
	{"german-desktop", 1200, 800, []string{still, "--accept-lang=de-AT", "--lang=de"}, true},
	{"german-phone", 320, 640, append([]string{"--accept-lang=de-AT", "--lang=de"}, dark...), true},
}

// TestInGerman goes through the pages of a person who reads German, wide and at 320 px,
// and looks for English words that nobody has translated.
func TestInGerman(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "admins: [jo]\nprivacy_url: https://example.org/privacy\neditors: ['http://office.invalid:9980']\n")
	d.Write("Plan.txt", "eins\n")
	d.Write("Brief.docx", "x")
	held := d.Open("-user", "Großmutter Müller", "/Plan.txt")
	hers := office.Client{WOPISrc: held.WOPISrc, AccessToken: held.AccessToken}
	if a, err := hers.Lock(t.Context(), "hers"); err != nil || a.Status != http.StatusOK {
		t.Fatal(a, err)
	}
	for _, l := range german {
		t.Run(l.name, func(t *testing.T) {
			w := driver.Open(t, l.width, l.height, l.extra...)
			e := eye{w, newShots(t), l}
			reads := func(words, name string) {
				t.Helper()
				e.sees(words, name)
				var lang, text string
				w.Run(`return document.documentElement.lang`, &lang)
				w.Run(`const part = document.body.cloneNode(true); part.querySelectorAll('[lang]:not(body), script, pre, code, svg').forEach((x) => x.remove()); return part.textContent`, &text)
				if lang != "de" {
					t.Errorf("%s: in %q", name, lang)
				}
				for _, english := range []string{" the ", " and ", " is ", " not ", "Sign", "Back to"} {
					if strings.Contains(text, english) {
						t.Errorf("%s: %q in German: %.1000s", name, english, text)
					}
				}
			}
			w.Go(d.URL + "/signin")
			reads("Datenschutzerklärung", "signin")
			w.Go(d.Invite("jo"))
			reads("Plan.txt", "files")
			var plan string
			w.Run(`return [...document.querySelectorAll('.name a')].find((a) => a.textContent === 'Plan.txt').getAttribute('href').split('/').pop()`, &plan)
			for path, words := range map[string]string{
				"/open": "Gerade geöffnet", "/saves": "Alles Gespeicherte ist angekommen", "/links": "Es gibt keine", "/server": "Wer angemeldet ist",
				"/doctor": "Prüfung", "/share/" + plan: "Wer ihn öffnen kann", "/document/" + plan: "Was damit geschah", "/open/" + plan + "/release": "lösen?",
				"/nothing": "Hier gibt es keine Seite", "/view/" + strings.Repeat("q", 26): "nicht mehr hier",
			} {
				w.Go(d.URL + path)
				reads(words, strings.Trim(strings.ReplaceAll(strings.ReplaceAll(path, plan, ""), "/", "-"), "-"))
			}
		})
	}
}

// TestChoosingALanguage: with a click, without script, and it stays.
func TestChoosingALanguage(t *testing.T) {
	d := daemon.StartEmpty(t, "")
	d.Write("Plan.txt", "one\n")
	w := Start(t).Open(t, 1200, 800, still)
	w.Go(d.Link)
	w.Sees("Sign out")
	w.Scripts(false)
	w.Go(d.URL + "/saves")
	w.Sees("Everything that you saved has arrived")
	w.Click("button[lang=de]")
	w.Sees("Alles Gespeicherte ist angekommen")
	w.Scripts(true)
	w.Go(d.URL + "/")
	w.Sees("Abmelden")
	w.Click("button[lang=en]")
	w.Sees("Sign out")
	clean(t, w)
}

// TestOpenNowChangesByItself: what others do is seen without loading the page again.
func TestOpenNowChangesByItself(t *testing.T) {
	d := daemon.StartEmpty(t, "")
	d.Write("Plan.txt", "one\n")
	w := Start(t).Open(t, 1200, 800, still)
	w.Go(d.Link)
	w.Sees("Plan.txt")
	w.Go(d.URL + "/open")
	w.Sees("No document that you can see is open")
	w.Run(`window.same = true`, nil)
	w.Until("a stream", func() bool {
		var on bool
		w.Run(`return document.querySelector('[data-live]').dataset.streamed === ''`, &on)
		return on
	})
	held := d.Open("-user", "Anna", "/Plan.txt")
	hers := office.Client{WOPISrc: held.WOPISrc, AccessToken: held.AccessToken}
	if a, err := hers.Lock(t.Context(), "hers"); err != nil || a.Status != http.StatusOK {
		t.Fatal(a, err)
	}
	w.Sees("Anna")
	w.Sees("not saved yet")
	if a, err := hers.PutFile(t.Context(), "hers", []byte("two\n"), nil); err != nil || a.Status != http.StatusOK {
		t.Fatal(a, err)
	}
	w.Sees("last saved")
	if a, err := hers.Unlock(t.Context(), "hers"); err != nil || a.Status != http.StatusOK {
		t.Fatal(a, err)
	}
	w.Sees("No document that you can see is open")
	var same bool
	if w.Run(`return window.same === true`, &same); !same {
		t.Error("the page was loaded again")
	}
	clean(t, w)
	var id string
	w.Go(d.URL + "/")
	w.Sees("Plan.txt")
	w.Run(`return document.querySelector('.name a').getAttribute('href').split('/').pop()`, &id)
	w.Go(d.URL + "/document/" + id)
	for _, event := range []string{"Anna opened it to edit", "Anna saved it", "Anna closed it"} {
		w.Sees(event)
	}
	newShots(t).take(w, "timeline")
}
