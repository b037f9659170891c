package oauth

import (
	"errors"
	"strings"
	"testing"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

func TestCredentials(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c, err := NewCredentials(t.Context(), db, testSealer(t))
		if err != nil {
			t.Fatal(err)
		}
		is := func(principal, upstream string, want Secret, wantErr error) {
			t.Helper()
			got, err := c.Get(t.Context(), principal, upstream)
			if got != want || !errors.Is(err, wantErr) {
				t.Errorf("%s at %s: %v", principal, upstream, err)
			}
		}
		put := func(principal, upstream string, s Secret) {
			t.Helper()
			if err := c.Put(t.Context(), principal, upstream, s); err != nil {
				t.Fatal(err)
			}
		}
		is("anna", "main", Secret{}, ErrNoCredential)
		old, changed := Secret{KindPassword, "anna", "hunter2"}, Secret{KindPassword, "anna", `p"ä\ss`}
		bearer := Secret{KindBearer, "", strings.Repeat("j", maxCredentialSecret)}
		put("anna", "main", old)
		put("anna", "main", changed)
		put("anna", "other", bearer)
		put("bert", "main", old)
		is("anna", "main", changed, nil)
		is("anna", "other", bearer, nil)
		is("bert", "main", old, nil)

		if err := c.Delete(t.Context(), "anna", "main"); err != nil {
			t.Fatal(err)
		}
		is("anna", "main", Secret{}, ErrNoCredential)
		is("anna", "other", bearer, nil)
		put("anna", "main", old)
		if err := c.DeleteAll(t.Context(), "anna"); err != nil {
			t.Fatal(err)
		}
		is("anna", "main", Secret{}, ErrNoCredential)
		is("anna", "other", Secret{}, ErrNoCredential)
		is("bert", "main", old, nil)
	})
}

func TestCredentialsRefuse(t *testing.T) {
	db := sqldbtest.New(t)
	c, err := NewCredentials(t.Context(), db, testSealer(t))
	if err != nil {
		t.Fatal(err)
	}
	keep := Secret{KindPassword, "anna", "hunter2"}
	if err := c.Put(t.Context(), "anna", "main", keep); err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]Secret{
		"no kind":      {"", "anna", "hunter3"},
		"unknown kind": {"kerberos", "anna", "hunter3"},
		"long name":    {KindPassword, strings.Repeat("a", maxCredentialUser+1), "hunter3"},
		"long secret":  {KindBearer, "", strings.Repeat("hunter3", maxCredentialSecret)},
		"not UTF-8":    {KindPassword, "anna", "hunter3\xff"},
	} {
		err := c.Put(t.Context(), "anna", "main", s)
		if !errors.Is(err, ErrCredential) || strings.Contains(err.Error(), "hunter3") {
			t.Errorf("%s: %v", what, err)
		}
		if got, err := c.Get(t.Context(), "anna", "main"); got != keep || err != nil {
			t.Errorf("%s: what was kept has changed: %v", what, err)
		}
	}
}

func TestCredentialsAreBoundToTheirRowAndKey(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c, err := NewCredentials(t.Context(), db, testSealer(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Put(t.Context(), "anna", "main", Secret{KindPassword, "anna", "hunter2"}); err != nil {
			t.Fatal(err)
		}
		// Whoever can write to the database gives anna's credential to mallory.
		err = db.Write(t.Context(), func(tx sqldb.Queryer) error {
			_, err := tx.Exec(t.Context(), `INSERT INTO oauth_credential (principal_key, upstream, sealed)
				SELECT 'mallory', upstream, sealed FROM oauth_credential WHERE principal_key = 'anna'`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Get(t.Context(), "mallory", "main"); !errors.Is(err, ErrUnsealed) || got != (Secret{}) {
			t.Errorf("a copied row opened: %v", err)
		}
		other, err := NewSealer([]byte("another key of 32 bytes in total"))
		if err != nil {
			t.Fatal(err)
		}
		c.sealer = other
		if _, err := c.Get(t.Context(), "anna", "main"); !errors.Is(err, ErrUnsealed) {
			t.Errorf("another secret key: %v", err)
		}
		if err := c.Put(t.Context(), "anna", "main", Secret{KindPassword, "anna", "hunter2"}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Get(t.Context(), "anna", "main"); err != nil {
			t.Errorf("signed in again with the other key: %v", err)
		}
	})
}
