package words

import (
	"cmp"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/text/language"
)

// Cookie is the name of the cookie with the language that somebody has chosen.
const Cookie = "davwopi-language"

// maxAsked bounds what is read of a list of languages.
const maxAsked = 300

// For is the language of whoever sends a request: the one that they have chosen, or that
// ui_locales or rs in the address asks for, or that their browser prefers.
func For(r *http.Request) *Language {
	if c, err := r.Cookie(Cookie); err == nil {
		if l, ok := Named(c.Value); ok {
			return l
		}
	}
	q := r.URL.Query()
	return Choose(q.Get("ui_locales"), q.Get("rs"), strings.Join(r.Header.Values("Accept-Language"), ","))
}

// Named is the language with exactly that tag.
func Named(tag string) (*Language, bool) {
	for _, l := range languages() {
		if l.Tag() == tag {
			return l, true
		}
	}
	return nil, false
}

// Choose is the language that fits the first of the wishes that any language fits. A wish
// is written as in Accept-Language, or as tags with spaces between them (OpenID Connect
// Core 3.1.2.1). English if none fits.
func Choose(wishes ...string) *Language {
	for _, wish := range wishes {
		if len(wish) > maxAsked {
			wish = wish[:maxAsked]
			wish = wish[:strings.LastIndexAny(wish, ", ")+1]
		}
		asked := preferred(wish)
		if len(asked) == 0 {
			continue
		}
		if _, i, confidence := matcher().Match(asked...); confidence > language.No {
			return languages()[i]
		}
	}
	return languages()[0]
}

// Terminal is the language of a terminal, by its environment as lines of NAME=VALUE: that of
// LANGUAGE, LC_ALL, LC_MESSAGES or LANG, as programs of the system read them (POSIX.1 8.2;
// GNU gettext, "Locale Environment Variables"). English where they want none, or where the
// terminal could not show its letters.
func Terminal(environ []string) *Language {
	set := make(map[string]string)
	for _, line := range environ {
		if name, value, _ := strings.Cut(line, "="); value != "" {
			set[name] = value
		}
	}
	locale := cmp.Or(set["LC_ALL"], set["LC_MESSAGES"], set["LANG"])
	tag, charset, _ := strings.Cut(locale, ".")
	charset, _, _ = strings.Cut(strings.ToLower(charset), "@")
	tag, _, _ = strings.Cut(tag, "@")
	if tag == "" || tag == "C" || tag == "POSIX" || charset != "" && charset != "utf-8" && charset != "utf8" {
		return Choose()
	}
	wishes := append(strings.Split(set["LANGUAGE"], ":"), tag)
	for i, wish := range wishes {
		wishes[i] = strings.ReplaceAll(wish, "_", "-")
	}
	return Choose(wishes...)
}

// matcher knows which language serves whom: German also those who ask for de-AT or gsw.
var matcher = sync.OnceValue(func() language.Matcher {
	var tags []language.Tag
	for _, l := range languages() {
		tags = append(tags, l.tag)
	}
	return language.NewMatcher(tags)
})

// preferred are the languages of a wish, the dearest first. What is none is passed over,
// and does not spoil the rest.
func preferred(wish string) []language.Tag {
	if !strings.ContainsAny(wish, ",;") {
		wish = strings.Join(strings.Fields(wish), ",")
	}
	var known []string
	for _, one := range strings.Split(wish, ",") {
		if tags, _, err := language.ParseAcceptLanguage(one); err == nil && len(tags) == 1 {
			known = append(known, one)
		}
	}
	asked, _, err := language.ParseAcceptLanguage(strings.Join(known, ","))
	if err != nil {
		return nil // each was one by itself
	}
	return asked
}
