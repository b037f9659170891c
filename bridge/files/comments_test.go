package files_test

import (
	"fmt"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/test/rooms"
)

func remark(id, content, action, words string) wopi.Activity {
	return wopi.Activity{Type: "comment", Id: id, Data: &wopi.ActivityData{ContentId: content, ContentAction: action, CommentText: words}}
}

// Of each comment the latest words stand, with who wrote those; deleted ones do not.
func TestWhatStandsOfComments(t *testing.T) {
	h := rooms.New(t, nil, nil)
	add := func(who string, list ...wopi.Activity) {
		t.Helper()
		h.Must(h.Activities.Add(t.Context(), "f", "u-"+who, who, list))
	}
	add("Anna", remark("1", "a", "created", "first"), remark("2", "b", "created", "second"), remark("3", "c", "created", "third"))
	add("Ben", remark("4", "a", "update", "first, by Ben"))
	add("Anna", remark("5", "b", "Delete", ""), remark("6", "d", "created", "fourth"))
	add("Anna", wopi.Activity{Type: "comment", Id: "7"})
	for limit, want := range map[int]string{
		10: "Anna: fourth|Ben: first, by Ben*|Anna: third", 3: "Anna: fourth|Ben: first, by Ben*|Anna: third", 2: "Anna: fourth|Ben: first, by Ben",
	} {
		list, cut, err := h.Activities.Comments(t.Context(), "f", limit)
		h.Must(err)
		var got []string
		for _, c := range list {
			got = append(got, c.Name+": "+c.Data.CommentText+map[bool]string{true: "*"}[c.Changed])
		}
		if strings.Join(got, "|") != want || cut != (limit == 2) {
			t.Errorf("%d: %v, cut %v", limit, got, cut)
		}
	}
}

// However long the comments are, what is held at once is bounded.
func TestCommentsAreReadWithinBounds(t *testing.T) {
	h := rooms.New(t, nil, nil)
	for i := range 300 {
		h.Must(h.Activities.Add(t.Context(), "f", "u", "n", []wopi.Activity{remark(fmt.Sprint(i), fmt.Sprint(i), "created", strings.Repeat("x", 8<<10))}))
	}
	list, cut, err := h.Activities.Comments(t.Context(), "f", 300)
	if h.Must(err); !cut || len(list) > 128 || len(list) < 100 || list[0].Id != "299" {
		t.Errorf("%d, cut %v", len(list), cut)
	}
}

func TestWhichFilesHaveComments(t *testing.T) {
	h := rooms.New(t, nil, nil)
	var all []idmap.FileID
	for i := range 1200 {
		all = append(all, idmap.FileID(fmt.Sprint("f", i)))
	}
	for _, i := range []int{0, 499, 500, 1199} {
		h.Must(h.Activities.Add(t.Context(), all[i], "u", "n", []wopi.Activity{remark("1", "a", "created", ""), remark("2", "b", "created", "")}))
	}
	found, err := h.Activities.Commented(t.Context(), all)
	if h.Must(err); len(found) != 4 || !found["f0"] || !found["f499"] || !found["f500"] || !found["f1199"] {
		t.Errorf("%v", found)
	}
	if found, err = h.Activities.Commented(t.Context(), nil); err != nil || len(found) != 0 {
		t.Errorf("of none: %v %v", found, err)
	}
}
