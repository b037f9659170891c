package doctor

import (
	"fmt"
	"time"

	"davwopi/bridge/proof"
)

// How far clocks may be apart. Date counts whole seconds, and an answer takes its time.
const (
	clockFine = 5 * time.Second
	clockBad  = time.Minute
)

// clock compares the time that a server gave with ours. signs: it is an editor whose
// requests are signed, with its own time in them.
func clock(about string, said, asked time.Time, signs bool) []Finding {
	if said.IsZero() {
		return nil
	}
	off := said.Sub(asked).Round(time.Second)
	ahead, direction := off, "ahead of"
	if off < 0 {
		ahead, direction = -off, "behind"
	}
	text := fmt.Sprintf("Its clock is %s %s ours", span(ahead), direction)
	fix := []string{"a terminal on the machine whose clock is wrong", "timedatectl set-ntp true"}
	switch {
	case ahead <= clockFine:
		return []Finding{finding(OK, "clock", about, "Its clock agrees with ours.")}
	case signs && (off > proof.MaxAhead || -off > proof.MaxAge):
		return []Finding{finding(Error, "clock", about, "%s: its requests look forged and are refused, so no document opens. Set both clocks by the network.", text).with(fix...)}
	case ahead >= clockBad:
		return []Finding{finding(Warning, "clock", about, "%s: sign-ins, locks and dates of files go wrong by as much. Set both clocks by the network.", text).with(fix...)}
	}
	return []Finding{finding(Hint, "clock", about, "%s.", text)}
}

// span is a duration in words.
func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d seconds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
