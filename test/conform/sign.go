package conform

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"davwopi/bridge/proof"
	"davwopi/bridge/wopi"
)

// mutators spoil a request on purpose.
type mutators struct {
	accessToken *string // replaces the token
	proofKey    bool    // one is given at all
	current     bool    // spoil X-WOPI-Proof
	old         bool    // spoil X-WOPI-ProofOld
	relation    string  // Synced, Ahead, Behind
	at          time.Time
}

// invalidProof is base64 of the word INVALID.
const invalidProof = "SU5WQUxJRA=="

func readMutators(list []*element) (m mutators, err error) {
	for _, e := range list {
		switch e.name {
		case "AccessToken":
			value := "b5f0c1f2-31d7-4d0a-8b4e-0a4f2b7f6a11"
			if given := e.optional("Mutation"); given != nil {
				value = *given
			}
			m.accessToken = &value
		case "ProofKey":
			m.proofKey = true
			if m.current, err = e.flag("MutateCurrent", false); err != nil {
				return m, err
			}
			if m.old, err = e.flag("MutateOld", false); err != nil {
				return m, err
			}
			m.relation = e.attrs["KeyRelation"]
			if at := e.attrs["Timestamp"]; at != "" {
				if m.at, err = parseTime(at); err != nil {
					return m, err
				}
			}
		default:
			return m, fmt.Errorf("conform: unknown mutator: %s", e.name)
		}
	}
	if m.relation != "" && m.relation != "Synced" && m.relation != "Ahead" && m.relation != "Behind" {
		return m, fmt.Errorf("conform: unknown relation of keys: %s", m.relation)
	}
	return m, nil
}

// token replaces the access token in the address and as a bearer.
func (m mutators) token(address, token string) (string, string, error) {
	if m.accessToken == nil {
		return address, token, nil
	}
	base, query, _ := strings.Cut(address, "?")
	pairs := strings.Split(query, "&")
	replaced := false
	for i, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		if strings.EqualFold(name, "access_token") {
			pairs[i] = name + "=" + url.QueryEscape(*m.accessToken)
			replaced = true
		}
	}
	if !replaced {
		return "", "", fmt.Errorf("conform: there is no access_token to spoil in %s", base)
	}
	return base + "?" + strings.Join(pairs, "&"), *m.accessToken, nil
}

// sign adds the three headers, if both keys are there.
func (p *player) sign(q *request, header map[string]string, address, token string) {
	if p.options.Current == nil || p.options.Old == nil {
		return
	}
	at := p.now()
	if !q.mutators.at.IsZero() {
		at = q.mutators.at
	}
	ticks := wopi.Ticks(at)
	current := proof.Sign(p.options.Current, token, address, ticks)
	old := proof.Sign(p.options.Old, token, address, ticks)
	switch q.mutators.relation {
	case "Behind":
		current, old = old, invalidProof
	case "Ahead":
		current, old = invalidProof, current
	default:
		if q.mutators.current {
			current = invalidProof
		}
		if q.mutators.old {
			old = invalidProof
		}
	}
	header[wopi.HeaderProof] = current
	header[wopi.HeaderProofOld] = old
	header[wopi.HeaderTimeStamp] = strconv.FormatInt(ticks, 10)
}

// parseTime takes the forms in which the suite and hosts write dates.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00",
		"2006-01-02 15:04:05", "2006-01-02", time.RFC1123, time.RFC1123Z, "1/2/2006 3:04:05 PM", "1/2/2006 15:04:05", "1/2/2006",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("conform: %q is not a date", s)
}
