package discovery_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/discovery"
	"davwopi/bridge/proof"
	"davwopi/bridge/wopi"
	"davwopi/test/office"
)

func TestKeysOfAnEditorThatSigns(t *testing.T) {
	ed := office.NewEditor(t, wopi.OnlyOffice, true, "odt")
	e := at(newClock(), ed.URL)
	k, signed, err := e.Keys(t.Context(), ed.URL)
	if err != nil || !signed || !k.Current.Equal(&ed.Current.PublicKey) || !k.Old.Equal(&ed.Old.PublicKey) {
		t.Errorf("%+v, %v, %v", k, signed, err)
	}
	if !e.Status()[0].Signs {
		t.Error("the status does not say so")
	}
}

func TestAnEditorWithoutKeysNeedNotSign(t *testing.T) {
	ed := office.NewEditor(t, wopi.Collabora, false, "odt")
	k, signed, err := at(newClock(), ed.URL).Keys(t.Context(), ed.URL)
	if err != nil || signed || k != (proof.Keys{}) {
		t.Errorf("%+v, %v, %v", k, signed, err)
	}
}

func TestKeysOfNobody(t *testing.T) {
	e := at(newClock())
	if _, signed, err := e.Keys(t.Context(), ""); signed || err != nil {
		t.Errorf("no editor: %v, %v", signed, err)
	}
	if _, _, err := e.Keys(t.Context(), "https://gone.test"); !errors.Is(err, discovery.ErrNoEditor) {
		t.Errorf("an editor that is not configured any more: %v", err)
	}
	ed := office.NewEditor(t, wopi.Collabora, true, "odt")
	ed.Down(true)
	if _, signed, err := at(newClock(), ed.URL).Keys(t.Context(), ed.URL); !errors.Is(err, discovery.ErrDown) || signed {
		t.Errorf("an editor that is down: %v, %v", signed, err)
	}
}

func TestRotatedKeysAreFetchedAtMostOnceAMinute(t *testing.T) {
	ed, c := office.NewEditor(t, wopi.OnlyOffice, true, "odt"), newClock()
	e := at(c, ed.URL)
	e.Warm(t.Context())
	ed.Rotate(t)
	if !e.Refetch(t.Context(), ed.URL) {
		t.Error("did not ask again")
	}
	k, _, err := e.Keys(t.Context(), ed.URL)
	if err != nil || !k.Current.Equal(&ed.Current.PublicKey) || !k.Old.Equal(&ed.Old.PublicKey) {
		t.Errorf("keys are not the new ones, %v", err)
	}
	for range 3 {
		c.move(19 * time.Second)
		if e.Refetch(t.Context(), ed.URL) {
			t.Error("asked again within a minute")
		}
	}
	c.move(3 * time.Second)
	if !e.Refetch(t.Context(), ed.URL) {
		t.Error("did not ask after a minute")
	}
	if ed.Asked() != 3 {
		t.Errorf("asked %d times", ed.Asked())
	}
	ed.Down(true)
	c.move(time.Minute)
	if e.Refetch(t.Context(), ed.URL) {
		t.Error("says that a document came when none did")
	}
	if e.Refetch(t.Context(), "https://nobody.test") {
		t.Error("refetched nobody")
	}
}

func TestAnEditorOnceSeenWithKeysStaysSigned(t *testing.T) {
	ed, c := office.NewEditor(t, wopi.Collabora, true, "odt"), newClock()
	e := at(c, ed.URL)
	told := make(chan string, 4)
	e.Remember = func(u string) { told <- u } // after those who wait for the document have it
	e.Warm(t.Context())
	ed.Bare(true)
	if !e.Refetch(t.Context(), ed.URL) {
		t.Fatal("not fetched")
	}
	k, signed, err := e.Keys(t.Context(), ed.URL)
	if err != nil || !signed || !k.Current.Equal(&ed.Current.PublicKey) {
		t.Errorf("falls back to unsigned: %+v, %v, %v", k, signed, err)
	}
	ed.Bare(false)
	c.move(time.Minute)
	e.Refetch(t.Context(), ed.URL)
	if first := <-told; first != ed.URL || len(told) != 0 {
		t.Errorf("told to remember %s, and %d more", first, len(told))
	}
}

func TestAnEditorSeenWithKeysBeforeARestartStaysSigned(t *testing.T) {
	ed := office.NewEditor(t, wopi.Collabora, true, "odt")
	ed.Bare(true)
	e := at(newClock(), ed.URL)
	e.Seen = map[string]bool{ed.URL: true}
	k, signed, err := e.Keys(t.Context(), ed.URL)
	if err != nil || !signed || k != (proof.Keys{}) {
		t.Errorf("%+v, %v, %v", k, signed, err)
	}
	e = at(newClock(), ed.URL)
	e.Seen = map[string]bool{ed.URL: true}
	e.List[0].Unsigned = true
	if _, signed, err := e.Keys(t.Context(), ed.URL); err != nil || signed {
		t.Errorf("against the operator's word: %v, %v", signed, err)
	}
}

func TestABrokenOldKeyIsAbsent(t *testing.T) {
	ed := office.NewEditor(t, wopi.OnlyOffice, true, "odt")
	modulus, exponent, _ := proof.FormatKey(&ed.Current.PublicKey)
	e := of(`<wopi-discovery><proof-key modulus="` + modulus + `" exponent="` + exponent + `" oldvalue="!!" oldmodulus="" /></wopi-discovery>`)
	k, signed, err := e.Keys(t.Context(), e.List[0].URL)
	if err != nil || !signed || k.Current == nil || k.Old != nil {
		t.Errorf("%+v, %v, %v", k, signed, err)
	}
	empty := of(`<wopi-discovery><proof-key value="" modulus="" exponent=""/></wopi-discovery>`)
	if _, signed, err := empty.Keys(t.Context(), empty.List[0].URL); signed || err != nil {
		t.Errorf("an empty element: %v, %v", signed, err)
	}
}

// No document makes the parser panic, and every action that comes out of one has
// an address that may stand in a page and a policy.
func FuzzDiscovery(f *testing.F) {
	for _, o := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice, wopi.Microsoft} {
		f.Add(string(office.Discovery(o, "https://office.test", office.Keys{}, "odt", "doc")))
	}
	f.Add(doc(editsOdt))
	f.Add(doc(`<app name="A"><action name="edit" ext="odt" urlsrc="javascript:x"/></app>`))
	f.Add(`<wopi-discovery><proof-key modulus="AQID" exponent="AQAB"/></wopi-discovery>`)
	f.Add(`<wopi-discovery><net-zone/><net-zone name="x"><app/><action/></net-zone>`)
	f.Fuzz(func(t *testing.T, text string) {
		e := of(text)
		for _, mode := range []discovery.Mode{discovery.ModeEdit, discovery.ModeView, discovery.ModeConvert} {
			a, err := e.Action(t.Context(), "odt", mode, 0, "")
			if err != nil {
				if !errors.Is(err, discovery.ErrDown) && !errors.Is(err, discovery.ErrNoEditor) {
					t.Fatal(err)
				}
				continue
			}
			address := a.URL(discovery.Params{WOPISrc: src, UI: "de"})
			if !strings.HasPrefix(strings.ToLower(address), "http") || strings.ContainsAny(address, "\"'\r\n <>") || !strings.Contains(address, escaped) {
				t.Fatalf("address %q", address)
			}
			if o := a.Origin(); !strings.HasPrefix(o, "http") || strings.ContainsAny(o, " ;,'\"*") || strings.Count(o, "/") != 2 {
				t.Fatalf("origin %q", o)
			}
		}
	})
}
