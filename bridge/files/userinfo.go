package files

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/idmap/sqldb"
)

// UserInfo keeps the strings of PutUserInfo: one per person, not per file. It may
// be used concurrently.
type UserInfo struct{ db *sqldb.DB }

// NewUserInfo brings its table up to date.
func NewUserInfo(ctx context.Context, db *sqldb.DB) (*UserInfo, error) {
	err := db.Migrate(ctx, "userinfo", []string{
		`CREATE TABLE user_info (principal TEXT PRIMARY KEY, info TEXT NOT NULL)`,
	})
	return &UserInfo{db}, err
}

// Get returns the person's last string, "" if there is none.
func (u *UserInfo) Get(ctx context.Context, principal string) (string, error) {
	var info string
	err := u.db.Read().QueryRow(ctx, `SELECT info FROM user_info WHERE principal = ?`, principal).Scan(&info)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("files: user info: %w", err)
	}
	return info, nil
}

// Put replaces the person's string.
func (u *UserInfo) Put(ctx context.Context, principal, info string) error {
	return u.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO user_info (principal, info) VALUES (?, ?)
			ON CONFLICT (principal) DO UPDATE SET info = excluded.info`, principal, info)
		return err
	})
}

// putUserInfo is WOPI's PutUserInfo: at most 1024 ASCII characters.
func (f *Files) putUserInfo(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	body, err := io.ReadAll(io.LimitReader(q.Body, wopi.MaxUserInfo+1))
	if err != nil {
		return wopi.Response{}, fmt.Errorf("files: user info: %w", err)
	}
	info, err := wopi.CheckUserInfo(body)
	if err != nil {
		return wopi.Response{}, &wopi.Error{Status: http.StatusBadRequest, Reason: "at most 1024 ASCII characters are kept", Err: err}
	}
	return wopi.Response{}, f.UserInfo.Put(ctx, q.Grant.Principal.Key(), info)
}
