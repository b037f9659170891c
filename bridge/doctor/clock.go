package doctor

import (
	"time"

	"davwopi/bridge/proof"
	"davwopi/bridge/words"
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
	ahead, says := off, words.Say("found.clock.ahead", "time", off)
	if off < 0 {
		ahead, says = -off, words.Say("found.clock.behind", "time", -off)
	}
	switch {
	case ahead <= clockFine:
		return []Finding{finding(OK, "clock", about, words.Say("found.clock.agrees"))}
	case signs && (off > proof.MaxAhead || -off > proof.MaxAge):
		return []Finding{finding(Error, "clock", about, words.Say("found.clock.forged", "clock", says)).with(setClock())}
	case ahead >= clockBad:
		return []Finding{finding(Warning, "clock", about, words.Say("found.clock.wrong", "clock", says)).with(setClock())}
	}
	return []Finding{finding(Hint, "clock", about, words.Say("found.clock.off", "clock", says))}
}

// setClock sets a clock by the network.
func setClock() Paste {
	return Paste{Said: words.Say("paste.clock"), Text: "timedatectl set-ntp true"}
}
