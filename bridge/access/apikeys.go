package access

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// The bounds of API keys.
const (
	maxAPIKeys   = 1000
	maxPresented = 512 // bytes of a key that is looked at
)

// APIKeys are the keys of the configuration as rows, hashed. Rows and not memory, so that replicas agree and a key
// that went from the configuration of one is gone for all. Safe for concurrent use.
type APIKeys struct {
	db *sqldb.DB
}

// An APIKey is what a program may do at /api/v1/open.
type APIKey struct {
	Name       string
	SHA256     string   // hex of the key; the configuration holds key_file, or this
	Principals []string // names it may act for; "*"
	Subtree    string   // path, "/" default
	Upstream   string   // "" all
	Modes      []string // "view", "edit"
}

// Format prints the name alone, whatever the verb: the hash of a weak key can be turned back.
func (k APIKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "access.APIKey{"+k.Name+"}") }

// KeyHash returns the SHA256 of an APIKey whose key is given, as key_file does.
func KeyHash(key string) string { return hex.EncodeToString(oauth.Hash(key)) }

// NewAPIKeys brings the table up to date and makes its rows those of keys; others are removed. The error
// wraps [ErrConfig] and names the key if one is not whole or two have the same name or hash; then no row was changed.
func NewAPIKeys(ctx context.Context, db *sqldb.DB, keys []APIKey) (*APIKeys, error) {
	rows, err := apiKeyRows(keys)
	if err != nil {
		return nil, err
	}
	err = db.Migrate(ctx, "access_api_keys", []string{
		`CREATE TABLE access_api_key (
			name TEXT {{bytes}} PRIMARY KEY,
			hash {{blob}} NOT NULL UNIQUE,
			allowed TEXT NOT NULL)`,
	})
	if err != nil {
		return nil, wrap("API keys", err)
	}
	err = db.Write(ctx, func(tx sqldb.Queryer) error {
		if _, err := tx.Exec(ctx, `DELETE FROM access_api_key`); err != nil {
			return err
		}
		for _, row := range rows {
			_, err := tx.Exec(ctx, `INSERT INTO access_api_key (name, hash, allowed) VALUES (?, ?, ?)`, row.name, row.hash, row.allowed)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap("API keys", err)
	}
	return &APIKeys{db: db}, nil
}

type apiKeyRow struct {
	name    string
	hash    []byte
	allowed string
}

func apiKeyRows(keys []APIKey) ([]apiKeyRow, error) {
	if len(keys) > maxAPIKeys {
		return nil, fmt.Errorf("%w: more than %d API keys", ErrConfig, maxAPIKeys)
	}
	names, hashes := make(map[string]bool), make(map[string]bool)
	rows := make([]apiKeyRow, 0, len(keys))
	for _, k := range keys {
		hash, why := k.check()
		switch {
		case why == "" && names[k.Name]:
			why = "the name is given twice"
		case why == "" && hashes[string(hash)]:
			why = "another one has the same key"
		}
		if why != "" {
			return nil, fmt.Errorf("%w: API key %q: %s", ErrConfig, k.Name, why)
		}
		names[k.Name], hashes[string(hash)] = true, true
		k.SHA256 = ""
		allowed, err := json.Marshal(k)
		if err != nil {
			return nil, wrap("API keys", err)
		}
		rows = append(rows, apiKeyRow{k.Name, hash, string(allowed)})
	}
	return rows, nil
}

// check returns the decoded hash, or what is wrong.
func (k APIKey) check() (hash []byte, why string) {
	hash, err := hex.DecodeString(k.SHA256)
	_, clean := segments(k.Subtree)
	switch {
	case k.Name == "" || !storable(k.Name):
		return nil, "it needs a name"
	case err != nil || len(hash) != 32:
		return nil, "sha256 must be 64 hexadecimal digits"
	case !clean:
		return nil, "subtree is not a clean path"
	case len(k.Principals) == 0 || slices.Contains(k.Principals, ""):
		return nil, "it needs principals"
	case len(k.Modes) == 0 || slices.ContainsFunc(k.Modes, func(m string) bool { return m != "view" && m != "edit" }):
		return nil, "modes must be view, edit or both"
	}
	return hash, ""
}

// Check returns the key that was presented, its SHA256 empty, or [ErrToken]. It compares with every row in constant
// time, whether or not one has matched.
func (a *APIKeys) Check(ctx context.Context, presented string) (APIKey, error) {
	if presented == "" || len(presented) > maxPresented {
		return APIKey{}, ErrToken
	}
	hash := oauth.Hash(presented)
	rows, err := a.db.Read().Query(ctx, `SELECT hash, allowed FROM access_api_key`)
	if err != nil {
		return APIKey{}, wrap("API key", err)
	}
	defer rows.Close()
	var found string
	for rows.Next() {
		var stored []byte
		var allowed string
		if err := rows.Scan(&stored, &allowed); err != nil {
			return APIKey{}, wrap("API key", err)
		}
		if subtle.ConstantTimeCompare(hash, stored) == 1 {
			found = allowed
		}
	}
	if err := rows.Err(); err != nil {
		return APIKey{}, wrap("API key", err)
	}
	if found == "" {
		return APIKey{}, ErrToken
	}
	var k APIKey
	if err := json.Unmarshal([]byte(found), &k); err != nil {
		return APIKey{}, wrap("API key", err)
	}
	return k, nil
}

// May returns nil if key may open path of upstream for the principal of that name in that mode ("view", "edit"); else an
// error that wraps [ErrNotAllowed] and says which of the four it was. It can be shown to whoever has the key.
func May(key APIKey, principalName, upstream, path, mode string) error {
	below, clean := segments(key.Subtree)
	at, ok := segments(path)
	switch {
	case principalName == "" || !slices.Contains(key.Principals, "*") && !slices.Contains(key.Principals, principalName):
		return fmt.Errorf("%w: this person", ErrNotAllowed)
	case key.Upstream != "" && key.Upstream != upstream:
		return fmt.Errorf("%w: this upstream", ErrNotAllowed)
	case !clean || !ok || !within(below, at):
		return fmt.Errorf("%w: this path", ErrNotAllowed)
	case !slices.Contains(key.Modes, mode):
		return fmt.Errorf("%w: this mode", ErrNotAllowed)
	}
	return nil
}
