package upstream

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"

	"davwopi/davbackend/dav"
)

// This file writes WebDAV's XML again after it was read and changed: a namespace is
// declared where it begins, without prefixes.

func decodeResponses(body []byte) []dav.Response {
	var all []dav.Response
	_ = dav.DecodeMultistatus(bytes.NewReader(body), dav.Limits{}, func(r dav.Response) error { // our own server's
		all = append(all, r)
		return nil
	})
	return all
}

func davElement(local string, children ...dav.Element) dav.Element {
	return dav.Element{Name: dav.PropName{Space: "DAV:", Local: local}, Children: children}
}

func davText(local, text string) dav.Element {
	return dav.Element{Name: dav.PropName{Space: "DAV:", Local: local}, Text: text}
}

func statusElement(status int) dav.Element {
	return davText("status", fmt.Sprintf("HTTP/1.1 %d %s", status, http.StatusText(status)))
}

func encodeResponses(all []dav.Response) []byte {
	var list []dav.Element
	for _, r := range all {
		var e dav.Element = davElement("response")
		for _, href := range r.Hrefs {
			e.Children = append(e.Children, davText("href", href))
		}
		if r.Status != 0 {
			e.Children = append(e.Children, statusElement(r.Status))
		}
		for _, ps := range r.Propstats {
			e.Children = append(e.Children, davElement("propstat", davElement("prop", ps.Props...), statusElement(ps.Status)))
		}
		list = append(list, e)
	}
	return encode(davElement("multistatus", list...))
}

func encode(e dav.Element) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	encodeInto(&b, e, "")
	return b.Bytes()
}

func encodeInto(b *bytes.Buffer, e dav.Element, space string) {
	b.WriteString("<" + e.Name.Local)
	if e.Name.Space != space {
		b.WriteString(` xmlns="`)
		_ = xml.EscapeText(b, []byte(e.Name.Space)) // into memory
		b.WriteString(`"`)
	}
	b.WriteString(">")
	_ = xml.EscapeText(b, []byte(e.Text))
	for _, c := range e.Children {
		encodeInto(b, c, e.Name.Space)
	}
	b.WriteString("</" + e.Name.Local + ">")
}

// asked reports whether a PROPFIND was about that property.
func asked(r *dav.Response, name dav.PropName) bool {
	return slices.ContainsFunc(r.Propstats, func(ps dav.Propstat) bool {
		return slices.ContainsFunc(ps.Props, func(e dav.Element) bool { return e.Name == name })
	})
}

// take removes a property from an answer.
func take(r *dav.Response, name dav.PropName) (was bool) {
	for i := range r.Propstats {
		ps := &r.Propstats[i]
		had := len(ps.Props)
		ps.Props = slices.DeleteFunc(ps.Props, func(e dav.Element) bool { return e.Name == name })
		was = was || len(ps.Props) < had
	}
	r.Propstats = slices.DeleteFunc(r.Propstats, func(ps dav.Propstat) bool { return len(ps.Props) == 0 })
	return was
}

// say answers a property that was asked for with a status; others it leaves alone.
func say(r *dav.Response, status int, e dav.Element) {
	if !take(r, e.Name) {
		return
	}
	for i := range r.Propstats {
		if r.Propstats[i].Status == status {
			r.Propstats[i].Props = append(r.Propstats[i].Props, e)
			return
		}
	}
	r.Propstats = append(r.Propstats, dav.Propstat{Status: status, Props: []dav.Element{e}})
}

// deny says that there is no such property.
func deny(r *dav.Response, name dav.PropName) { say(r, http.StatusNotFound, dav.Element{Name: name}) }
