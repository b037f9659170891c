package oauth_test

import (
	"errors"
	"testing"
	"time"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
)

func TestSessionsAreListed(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s, err := oauth.NewSessions(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]string{}
		for _, name := range []string{"anna", "ben", "old"} {
			if _, ids[name], err = s.Start(t.Context(), oauth.Principal{Issuer: "link", Subject: name, Name: name}); err != nil {
				t.Fatal(err)
			}
		}
		err = db.Write(t.Context(), func(tx sqldb.Queryer) error {
			_, err := tx.Exec(t.Context(), `UPDATE oauth_session SET used = used + ? WHERE id = ?`, time.Second.Milliseconds(), ids["ben"])
			if err == nil {
				_, err = tx.Exec(t.Context(), `UPDATE oauth_session SET used = used - ? WHERE id = ?`, s.Idle.Milliseconds()+1000, ids["old"])
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.List(t.Context(), 10)
		if err != nil || len(list) != 2 || list[0].ID != ids["ben"] || list[1].Principal.Name != "anna" || list[0].Started.IsZero() || list[0].Used.Before(list[0].Started) {
			t.Errorf("%+v, %v", list, err)
		}
		if list, err := s.List(t.Context(), 1); err != nil || len(list) != 1 {
			t.Errorf("%+v, %v", list, err)
		}
		if l, err := s.Listed(t.Context(), ids["anna"]); err != nil || l.Principal.Name != "anna" {
			t.Errorf("%+v, %v", l, err)
		}
		if _, err := s.Listed(t.Context(), "nobody's"); !errors.Is(err, oauth.ErrNoSession) {
			t.Error(err)
		}
	})
}
