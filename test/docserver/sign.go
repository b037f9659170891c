package docserver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

var encode = base64.RawURLEncoding

// Sign makes an HS256 JWT of claims, which encode to a JSON object, as they are.
func Sign(secret string, claims any) string {
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err) // a test's own value
	}
	head := encode.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode.EncodeToString(text)
	return head + "." + encode.EncodeToString(mac(secret, head))
}

func mac(secret, text string) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text)) // never fails
	return h.Sum(nil)
}

// SignFor is Sign with iat, and with exp after d, which may be negative.
func SignFor(secret string, claims map[string]any, d time.Duration) string {
	all := map[string]any{"iat": time.Now().Unix(), "exp": time.Now().Add(d).Unix()}
	for name, value := range claims {
		all[name] = value
	}
	return Sign(secret, all)
}

var errToken = errors.New("docserver: token refused")
var errExpired = errors.New("docserver: token expired")

// verify opens a JWT as the document server does: 60 s of tolerance, no "none".
func verify(secret, token string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errToken
	}
	var head struct{ Alg string }
	if text, err := encode.DecodeString(parts[0]); err != nil || json.Unmarshal(text, &head) != nil || head.Alg != "HS256" {
		return nil, errToken
	}
	sum, err := encode.DecodeString(parts[2])
	if err != nil || !hmac.Equal(sum, mac(secret, parts[0]+"."+parts[1])) {
		return nil, errToken
	}
	text, err := encode.DecodeString(parts[1])
	if err != nil {
		return nil, errToken
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		return nil, errToken
	}
	if exp, ok := claims["exp"].(float64); ok && time.Now().Unix() > int64(exp)+60 {
		return nil, errExpired
	}
	return claims, nil
}
