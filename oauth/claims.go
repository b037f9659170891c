package oauth

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
)

// Claims says which claims of a provider tell what about a person. "" takes the default.
type Claims struct {
	// Name is shown to others. Default: name, else preferred_username, else the part
	// of email before the @, else the subject.
	Name string
	// Login is a name that the operator trusts to be nobody else's, so that rules may use it. Default: none;
	// OpenID Connect Core 1.0 section 5.7 trusts no name but the subject. An "email" counts only if
	// the provider has verified it.
	Login string
	// Groups is a list of names. Default: groups.
	Groups string
	// GroupsCount says that rules speak of groups. As they may take rights away, nobody is let in without
	// groups just because the provider could not be asked for them.
	GroupsCount bool
}

func (c Claims) groups() string { return first(c.Groups, "groups") }

// untold reports whether what is said leaves open something that counts.
func (c Claims) untold(said map[string]any) bool {
	_, told := said[c.groups()]
	return c.GroupsCount && !told
}

// principal is the person that a provider's claims speak of. issuer is the provider's.
func (c Claims) principal(issuer string, said map[string]any) (Principal, error) {
	p := Principal{Issuer: issuer, Subject: text(said, "sub"), Login: c.login(said)}
	p.Name = c.name(said, p.Subject)
	p.SignIn = first(p.Login, text(said, "email"), text(said, "preferred_username"), text(said, "username"), p.Name)
	p.Groups = words(said[c.groups()])
	return p, p.Check()
}

func (c Claims) login(said map[string]any) string {
	if c.Login == "" {
		return ""
	}
	if verified, told := said["email_verified"].(bool); c.Login == "email" && !(told && verified) {
		return ""
	}
	return text(said, c.Login)
}

func (c Claims) name(said map[string]any, subject string) string {
	if c.Name != "" {
		return first(text(said, c.Name), subject)
	}
	mail, _, _ := strings.Cut(text(said, "email"), "@")
	return first(text(said, "name"), text(said, "preferred_username"), text(said, "username"), mail, subject)
}

// first is the first that is not empty.
func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// text is a claim of one line; what cannot be shown is taken out. "sub" is taken as it is.
func text(said map[string]any, claim string) string {
	s, _ := said[claim].(string)
	if claim == "sub" {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
	if len(s) > maxPrincipalText {
		s = strings.ToValidUTF8(s[:maxPrincipalText], "")
	}
	return strings.TrimSpace(s)
}

// words is a claim that is a list of words, or one text with blanks between them (as scope is).
func words(claim any) (list []string) {
	switch v := claim.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		for _, one := range v {
			if s, ok := one.(string); ok && s != "" && !slices.Contains(list, s) {
				list = append(list, s)
			}
		}
	}
	return list
}

// texts is a claim that is one text, which may hold blanks, or a list of them (as aud is).
func texts(claim any) []string {
	if s, ok := claim.(string); ok {
		return []string{s}
	}
	return words(claim)
}

// decodeClaims reads a JSON object.
func decodeClaims(raw []byte) (map[string]any, error) {
	var said map[string]any
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&said); err != nil {
		return nil, err
	}
	return said, nil
}
