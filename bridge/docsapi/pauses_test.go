package docsapi

import (
	"errors"
	"testing"
	"time"
)

func TestForgottenSavesThatFailAreTriedLessAndLess(t *testing.T) {
	var p pauses
	now, broken := someday, errors.New("no room")
	tries := 0
	for at := now; at.Before(now.Add(7 * 24 * time.Hour)); at = at.Add(forgetEvery) {
		if p.due("k", at) {
			tries++
			p.note("k", at, broken)
		}
	}
	if tries < 7 || tries > 20 {
		t.Errorf("%d tries in a week", tries)
	}
	if !p.due("another", now) {
		t.Error("another key waits, too")
	}
	p.note("k", now, nil)
	if !p.due("k", now) {
		t.Error("it waits after it went well")
	}
}
