package wopi

// Office is the kind of WOPI client; what differs between them hangs on it.
type Office int

const (
	AnyOffice  Office = iota // not known: API, script
	Microsoft                // Microsoft 365 and Office Online Server
	Collabora                // Collabora Online and its siblings
	OnlyOffice               // ONLYOFFICE Docs in WOPI mode
	TextEditor               // ours
)

var offices = [...]string{"any", "microsoft", "collabora", "onlyoffice", "text"}

// String returns the name by which an office is stored and logged: any,
// microsoft, collabora, onlyoffice, text.
func (o Office) String() string {
	if o < 0 || int(o) >= len(offices) {
		return offices[AnyOffice]
	}
	return offices[o]
}

// ParseOffice is the reverse of [Office.String]. Whatever it does not know is
// [AnyOffice].
func ParseOffice(s string) Office {
	for i, name := range offices {
		if s == name {
			return Office(i)
		}
	}
	return AnyOffice
}
