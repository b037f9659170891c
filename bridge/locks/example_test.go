package locks_test

import (
	"errors"
	"fmt"
	"time"

	"davwopi/bridge/locks"
)

// The rules are pure: each says what follows, or why not.
func ExampleLock() {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	lock, _ := locks.Lock{}.Acquire("cool-lock1", now)

	_, err := lock.Acquire("cool-lock2", now.Add(time.Minute))
	var mismatch *locks.MismatchError
	if errors.As(err, &mismatch) {
		fmt.Println(mismatch.Current, "-", mismatch.Reason)
	}
	fmt.Println(lock.Held(now.Add(29*time.Minute)), lock.Held(now.Add(30*time.Minute)))
	// Output:
	// cool-lock1 - locked by another editing session
	// true false
}
