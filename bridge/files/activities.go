package files

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// keptActivities is how many activities of one file are kept, the newest.
const keptActivities = 1000

// Activities keeps what AddActivities tells of: comments. It may be used concurrently.
type Activities struct{ db *sqldb.DB }

// A Comment is a kept activity.
type Comment struct {
	wopi.Activity
	UserID string    // who sent it
	Name   string    // what that person is called
	Kept   time.Time // when it came, UTC

	// Changed is true of a comment that had other words before; set by
	// [Activities.Comments].
	Changed bool
}

// NewActivities brings its table up to date.
func NewActivities(ctx context.Context, db *sqldb.DB) (*Activities, error) {
	err := db.Migrate(ctx, "activities", []string{
		`CREATE TABLE activity (
			num      {{serial}},
			file     TEXT {{bytes}} NOT NULL,
			activity TEXT {{bytes}} NOT NULL, -- the office's Id
			user_id  TEXT NOT NULL,
			name     TEXT NOT NULL,
			kept     BIGINT NOT NULL,
			content  TEXT NOT NULL, -- JSON of wopi.Activity
			UNIQUE (file, activity)
		)`,
	})
	return &Activities{db}, err
}

// Add keeps activities of a file. One that is there already stays as it is: offices
// send again what they got no answer to.
func (a *Activities) Add(ctx context.Context, file idmap.FileID, userID, name string, list []wopi.Activity) error {
	now, err := a.db.Now(ctx)
	if err != nil {
		return fmt.Errorf("files: activities: %w", err)
	}
	err = a.db.Write(ctx, func(tx sqldb.Queryer) error {
		for _, activity := range list {
			content, err := json.Marshal(activity)
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `INSERT INTO activity (file, activity, user_id, name, kept, content) VALUES (?, ?, ?, ?, ?, ?)
				ON CONFLICT (file, activity) DO NOTHING`, string(file), activity.Id, userID, name, sqldb.Millis(now), string(content))
			if err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `DELETE FROM activity WHERE file = ? AND num NOT IN
			(SELECT num FROM activity WHERE file = ? ORDER BY num DESC LIMIT ?)`, string(file), string(file), keptActivities)
		return err
	})
	if err != nil {
		return fmt.Errorf("files: activities: %w", err)
	}
	return nil
}

// List returns what is kept of a file, at most limit, the newest first. Whether the
// person who asks may see the file is the caller's to know.
func (a *Activities) List(ctx context.Context, file idmap.FileID, limit int) ([]Comment, error) {
	var all []Comment
	err := a.each(ctx, file, limit, func(c Comment, _ int) bool {
		all = append(all, c)
		return true
	})
	return all, err
}

// each calls do for what is kept of a file, the newest first, with how many bytes of
// JSON it takes, until do returns false.
func (a *Activities) each(ctx context.Context, file idmap.FileID, limit int, do func(c Comment, size int) bool) error {
	rows, err := a.db.Read().Query(ctx, `SELECT user_id, name, kept, content FROM activity WHERE file = ?
		ORDER BY num DESC LIMIT ?`, string(file), limit)
	if err != nil {
		return fmt.Errorf("files: activities: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var c Comment
		var kept int64
		var content string
		if err := rows.Scan(&c.UserID, &c.Name, &kept, &content); err != nil {
			return fmt.Errorf("files: activities: %w", err)
		}
		c.Kept = sqldb.FromMillis(kept)
		if err := json.Unmarshal([]byte(content), &c.Activity); err != nil {
			return fmt.Errorf("files: activities: %w", err)
		}
		if !do(c, len(content)) {
			return nil
		}
	}
	return rows.Err()
}

// addActivities is WOPI's AddActivities: comments are kept, other types are answered
// as not supported, one by one.
func (f *Files) addActivities(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	if f.Activities == nil {
		return wopi.Response{}, endpoint.NotOffered("AddActivities")
	}
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return wopi.Response{}, fmt.Errorf("files: activities: %w", err)
	}
	list, err := wopi.ParseActivities(body)
	if err != nil {
		return wopi.Response{}, &wopi.Error{Status: http.StatusBadRequest, Reason: "these are no activities", Err: err}
	}
	if _, err := f.Seen(ctx, q); err != nil {
		return wopi.Response{}, err
	}
	var kept []wopi.Activity
	var answer wopi.ActivityResponses
	for _, a := range list {
		r := wopi.ActivityResponse{Id: a.Id, Status: wopi.ActivityUnsupported, Message: "this type of activity is not kept"}
		if a.Supported() {
			r = wopi.ActivityResponse{Id: a.Id, Status: wopi.ActivityAccepted}
			kept = append(kept, a)
		}
		answer.ActivityResponses = append(answer.ActivityResponses, r)
	}
	if len(kept) > 0 {
		principal := q.Grant.Principal
		if err := f.Activities.Add(ctx, q.File, principal.UserID(), principal.Name, kept); err != nil {
			return wopi.Response{}, err
		}
	}
	return wopi.Response{JSON: answer}, nil
}
