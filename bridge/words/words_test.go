package words

import (
	"bytes"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func in(t *testing.T, tag string) *Language {
	t.Helper()
	l, ok := Named(tag)
	if !ok {
		t.Fatalf("there is no %s", tag)
	}
	return l
}

func TestNumbersSizesTimesAndLists(t *testing.T) {
	en, de := in(t, "en"), in(t, "de")
	at := time.Date(2026, 3, 7, 4, 5, 0, 0, time.Local)
	for _, c := range []struct{ got, want string }{
		{en.Number(1234567), "1,234,567"}, {de.Number(1234567), "1.234.567"},
		{en.Size(-1), ""}, {en.Size(0), "0 B"}, {de.Size(1023), "1.023 B"},
		{en.Size(1536), "1.5 KB"}, {de.Size(1536), "1,5 KB"}, {de.Size(10 << 20), "10 MB"}, {en.Size(1 << 50), "1.0 PB"},
		{en.When(at), "7 Mar 2026, 04:05"}, {de.When(at), "7. März 2026, 04:05"}, {de.When(time.Time{}), ""},
		{en.plain(Date(at)), "7 March 2026"}, {de.plain(Date(at)), "7. März 2026"},
		{en.Wait(0), "1 second"}, {de.Wait(90 * time.Second), "90 Sekunden"}, {de.Wait(10 * time.Minute), "10 Minuten"},
		{en.Wait(3 * time.Hour), "3 hours"}, {de.Wait(72 * time.Hour), "3 Tage"},
		{en.Names(nil), ""}, {en.Names([]string{"A"}), "A"}, {de.Names([]string{"A", "B", "C"}), "A, B und C"},
		{de.Say("wait.days", "n", int64(1)), "1 Tag"}, {de.Say("wait.days", "n", 0), "0 Tage"},
		{en.Say("nowhere.at.all"), "nowhere.at.all"},
		{en.Text(nil), ""}, {en.Text(Plain("x {n}")), "x {n}"}, {en.Text(Plain("")), ""},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// A catalogue for tests: what marks and arguments do.
func tried(t *testing.T, lines string) *Language {
	t.Helper()
	months := "date.months = a b c d e f g h i j k l\ndate.day = {day} {month} {year}\ndate.when = {day}, {clock}\n"
	l, err := read("pl", months+lines)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestFormsOfALanguageWithMoreOfThem(t *testing.T) {
	l := tried(t, "x[one] = {n} plik\nx[few] = {n} pliki\nx[many] = {n} plików\nx[other] = {n} pliku\n")
	for n, want := range map[int]string{1: "1 plik", 3: "3 pliki", 5: "5 plików", 22: "22 pliki", 112: "112 plików"} {
		if got := l.Say("x", "n", n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestNamesStayWhatTheyAre(t *testing.T) {
	l := tried(t, "gone = <b>{name}</b> is gone since {at}\nway = <a href=\"{href}\">to {name}</a>\n")
	evil := `"><img src=x onerror=alert(1)>{name}`
	at := time.Date(2026, 3, 7, 4, 5, 0, 0, time.UTC)
	got := string(l.HTML(Say("gone", "name", evil, "at", at)))
	for _, want := range []string{`<b><bdi>&#34;&gt;&lt;img src=x onerror=alert(1)&gt;{name}</bdi></b>`, `<time datetime="2026-03-07T04:05:00Z">`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nwithout %s", got, want)
		}
	}
	for href, want := range map[string]string{
		"/open?a=1&b=2": "/open?a=1&amp;b=2", "javascript:alert(1)": "#", "https://example.org/": "https://example.org/",
		`/"onclick="x`: "/&#34;onclick=&#34;x",
	} {
		if got := string(l.HTML(Say("way", "href", href, "name", "x"))); !strings.Contains(got, `<a href="`+want+`">`) {
			t.Errorf("%s became %s", href, got)
		}
	}
	turned := "invoice\u202etxt.exe"
	if got := l.Say("gone", "name", turned); !strings.HasPrefix(got, "<b>\u2068"+turned+"\u2069</b>") {
		t.Errorf("%q turns what stands beside it", got)
	}
	if got := l.Say("gone", "name", "Ünïcode €"); !strings.HasPrefix(got, "<b>Ünïcode €</b>") {
		t.Errorf("%q", got)
	}
}

func TestInAView(t *testing.T) {
	l := tried(t, "x.n[one] = one\nx.n[other] = {n} <b>bold</b>\nx.say = say {name}\ny = other\n")
	view := template.Must(template.New("").Funcs(l.Funcs()).Parse(`<p title="{{t .Text}}">{{th "x.n" "n" 5}}{{with .Nothing}}no{{end}}</p><script type="application/json" id="words">{{scriptWords "x."}}</script>`))
	var b bytes.Buffer
	if err := view.Execute(&b, map[string]any{"Text": Say("x.say", "name", `"<`), "Nothing": Plain("")}); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{`title="say &#34;&lt;"`, `>5 <b>bold</b></p>`, `"x.say":"say {name}"`, `"one":"one"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if strings.Contains(got, "other\"}") || strings.Contains(got, `"y"`) {
		t.Errorf("the script is told of more: %s", got)
	}
}

// A year has twelve months, in every language and in both ways to write them.
func TestMonths(t *testing.T) {
	for _, l := range All() {
		if got := strings.Fields(l.Say("date.full_months")); len(got) != 12 || !strings.HasPrefix(got[11], "De") {
			t.Errorf("%s: %q", l.Tag(), got)
		}
	}
}

func TestFaultsOfACatalogue(t *testing.T) {
	for lines, want := range map[string]string{
		"a": "KEY = WORDS", "a = b\na = c": "twice", "a[one] = b\na = c": "twice", "a[six] = b": "form", "a = {b c}": "argument", "a = {b": "argument",
	} {
		if _, err := read("en", lines); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", lines, err)
		}
	}
	if _, err := read("en", "date.months = a"); err == nil {
		t.Error("a year of one month")
	}
}

func TestTheLanguageOfATerminal(t *testing.T) {
	for environ, want := range map[string]string{
		"": "en", "LANG=C": "en", "LANG=de_DE.UTF-8": "de", "LANG=de": "de", "LANG=de_AT.utf8@euro": "de", "LC_ALL=de_CH.UTF-8 LANG=en_US.UTF-8": "de",
		"LANG=de_DE.UTF-8 LC_ALL=C": "en", "LANG=de_DE.UTF-8 LC_MESSAGES=en_GB.UTF-8": "en", "LANG=de_DE.UTF-8 LC_ALL=": "de",
		"LANG=en_US.UTF-8 LANGUAGE=de:en": "de", "LANG=fr_FR.UTF-8 LANGUAGE=fr:de_AT": "de", "LANG=C LANGUAGE=de": "en", "LANG=fr_FR.UTF-8": "en",
		"LANG=de_DE.ISO-8859-1": "en", "LANG=C.UTF-8": "en", "LANG=;,\x00.": "en",
	} {
		if got := Terminal(strings.Fields(environ)).Tag(); got != want {
			t.Errorf("%s: %s, want %s", environ, got, want)
		}
	}
}

func TestWhichLanguageSomebodyGets(t *testing.T) {
	for _, c := range []struct{ name, cookie, query, header, want string }{
		{"nothing is said", "", "", "", "en"},
		{"the browser's", "", "", "de-AT,de;q=0.8,en;q=0.5", "de"},
		{"the browser's second", "", "", "fr-FR,fr;q=0.9,de;q=0.8,en;q=0.7", "de"},
		{"none that there is", "", "", "ja,zh-CN;q=0.8", "en"},
		{"rs before the browser's", "", "rs=de-DE", "en", "de"},
		{"rs that nobody speaks", "", "rs=xx", "de", "de"},
		{"ui_locales before rs", "", "ui_locales=fr+de&rs=en-US", "en", "de"},
		{"the cookie before all", "de", "ui_locales=en&rs=en", "en", "de"},
		{"a cookie that means nothing", "de-x-evil", "", "de", "de"},
		{"weights and no spaces", "", "ui_locales=de", "en;q=1", "de"},
		{"rubbish", "", "ui_locales=%00%ff&rs=%22%3E", ";;;,,,q=", "en"},
		{"very long", "", "", strings.Repeat("xx-yy,", 5000) + "de", "en"},
		{"long, and fits at once", "", "", "de," + strings.Repeat("xx-yy,", 5000), "de"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/?"+c.query, nil)
		r.Header.Set("Accept-Language", c.header)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: Cookie, Value: c.cookie})
		}
		if got := For(r).Tag(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
