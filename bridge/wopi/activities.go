package wopi

import (
	"encoding/json"
	"fmt"
)

// ActivityComment is the one type of activity that is known.
const ActivityComment = "comment"

// The values of Status in [ActivityResponse].
const (
	ActivityAccepted    = 0
	ActivityUnsupported = 3
)

const (
	maxActivities   = 100
	maxActivityText = 8 << 10 // bytes of one text of an activity
	maxPeople       = 100
)

// An Activity is an entry of AddActivities. What else an office sends is not looked at.
type Activity struct {
	Type      string          `json:"Type"`
	Id        string          `json:"Id"`        // a GUID, kept as it is written
	Timestamp string          `json:"Timestamp"` // or Created; offices do not keep to RFC 3339
	Created   string          `json:"Created"`
	Data      *ActivityData   `json:"Data"`
	People    []ActivityHuman `json:"People"`
}

// ActivityData is what a comment says.
type ActivityData struct {
	ContentId     string `json:"ContentId"`
	ContentAction string `json:"ContentAction"` // created, update, delete
	CommentText   string `json:"CommentText"`
	NavigationId  string `json:"NavigationId"`
	IsReply       bool   `json:"IsReply"`
}

// An ActivityHuman is somebody whom an activity is about.
type ActivityHuman struct {
	Name      string `json:"Name"`
	Id        string `json:"Id"`
	Provider  string `json:"Provider"`
	Mentioned bool   `json:"Mentioned"`
}

// ActivityResponses is the answer of AddActivities.
type ActivityResponses struct {
	ActivityResponses []ActivityResponse `json:"ActivityResponses"`
}

// An ActivityResponse says what became of one activity.
type ActivityResponse struct {
	Id      string `json:"Id"`
	Status  int    `json:"Status"`
	Message string `json:"Message,omitempty"`
}

// ParseActivities reads the body of AddActivities: 1 to 100 activities, each with an
// Id, no text of which is longer than 8 KiB. The error wraps [ErrMalformed]. Whether
// one is supported is said by [Activity.Supported].
func ParseActivities(body []byte) ([]Activity, error) {
	var sent struct{ Activities []Activity }
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, fmt.Errorf("%w: activities: %w", ErrMalformed, err)
	}
	if n := len(sent.Activities); n == 0 || n > maxActivities {
		return nil, fmt.Errorf("%w: %d activities", ErrMalformed, n)
	}
	for i, a := range sent.Activities {
		if reason := a.fault(); reason != "" {
			return nil, fmt.Errorf("%w: activity %d: %s", ErrMalformed, i+1, reason)
		}
	}
	return sent.Activities, nil
}

func (a Activity) fault() string {
	texts := []string{a.Type, a.Id, a.Timestamp, a.Created}
	if d := a.Data; d != nil {
		texts = append(texts, d.ContentId, d.ContentAction, d.CommentText, d.NavigationId)
	}
	if len(a.People) > maxPeople {
		return "too many people"
	}
	for _, p := range a.People {
		texts = append(texts, p.Name, p.Id, p.Provider)
	}
	for _, text := range texts {
		if len(text) > maxActivityText {
			return "a text is too long"
		}
	}
	switch {
	case a.Id == "" || len(a.Id) > 128:
		return "it has no Id"
	case a.Type == "":
		return "it has no Type"
	}
	return ""
}

// Supported reports whether a is a comment that says which one it is.
func (a Activity) Supported() bool {
	return a.Type == ActivityComment && a.Data != nil && a.Data.ContentId != ""
}

// At is when the office says that it happened, as it writes times.
func (a Activity) At() string {
	if a.Timestamp != "" {
		return a.Timestamp
	}
	return a.Created
}
