package office

import (
	"bytes"
	"crypto/rsa"
	"encoding/xml"

	"davwopi/bridge/proof"
	"davwopi/bridge/wopi"
)

// Keys are the keys whose public halves a discovery document publishes.
type Keys struct{ Current, Old *rsa.PrivateKey }

type xmlAction struct {
	Name     string `xml:"name,attr"`
	Ext      string `xml:"ext,attr"`
	Default  string `xml:"default,attr,omitempty"`
	Requires string `xml:"requires,attr,omitempty"`
	Target   string `xml:"targetext,attr,omitempty"`
	URLSrc   string `xml:"urlsrc,attr"`
}

type xmlApp struct {
	Name    string      `xml:"name,attr"`
	Icon    string      `xml:"favIconUrl,attr,omitempty"`
	Actions []xmlAction `xml:"action"`
}

type xmlZone struct {
	Name string   `xml:"name,attr"`
	Apps []xmlApp `xml:"app"`
}

type xmlProofKey struct {
	Value       string `xml:"value,attr"`
	Modulus     string `xml:"modulus,attr"`
	Exponent    string `xml:"exponent,attr"`
	OldValue    string `xml:"oldvalue,attr,omitempty"`
	OldModulus  string `xml:"oldmodulus,attr,omitempty"`
	OldExponent string `xml:"oldexponent,attr,omitempty"`
}

type xmlDiscovery struct {
	XMLName xml.Name     `xml:"wopi-discovery"`
	Zones   []xmlZone    `xml:"net-zone"`
	Proof   *xmlProofKey `xml:"proof-key"`
}

// Discovery returns a document in the manner of an office: where its pages lie
// below base, how its apps are called, which zone and which actions it has.
func Discovery(office wopi.Office, base string, keys Keys, exts ...string) []byte {
	d := xmlDiscovery{Proof: proofKey(office, keys)}
	switch office {
	case wopi.Collabora:
		d.Zones = []xmlZone{{Name: "external-http", Apps: collaboraApps(base, exts)}}
	case wopi.OnlyOffice:
		d.Zones = []xmlZone{{Name: "external-http", Apps: onlyOfficeApps(base, exts)}}
	default:
		d.Zones = []xmlZone{
			{Name: "internal-http", Apps: microsoftApps("http://internal.invalid", exts)},
			{Name: "external-https", Apps: microsoftApps(base, exts)},
		}
		if len(base) > 5 && base[:5] == "http:" {
			d.Zones[1].Name = "external-http"
		}
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	// encoding plain strings into a buffer has no way to fail
	_ = xml.NewEncoder(&b).Encode(d)
	return b.Bytes()
}

func proofKey(office wopi.Office, keys Keys) *xmlProofKey {
	if keys.Current == nil {
		return nil
	}
	var p xmlProofKey
	p.Modulus, p.Exponent, p.Value = proof.FormatKey(&keys.Current.PublicKey)
	switch {
	case keys.Old != nil:
		p.OldModulus, p.OldExponent, p.OldValue = proof.FormatKey(&keys.Old.PublicKey)
	case office == wopi.Collabora: // one key in both places
		p.OldModulus, p.OldExponent, p.OldValue = p.Modulus, p.Exponent, p.Value
	}
	return &p
}

// collaboraApps are named by MIME types, list only edit for what can be edited,
// and have no placeholders.
func collaboraApps(base string, exts []string) []xmlApp {
	page := base + "/browser/0f3a2b1/cool.html?"
	var apps []xmlApp
	for _, ext := range exts {
		action := xmlAction{Name: "edit", Ext: ext, Default: "true", URLSrc: page}
		if ext == "pdf" {
			action.Name = "view_comment"
		}
		apps = append(apps, xmlApp{Name: "application/x-" + ext, Actions: []xmlAction{action}})
	}
	return append(apps,
		xmlApp{Name: "application/vnd.oasis.opendocument.text", Actions: []xmlAction{{Name: "edit", URLSrc: page}}},
		xmlApp{Name: "Capabilities", Actions: []xmlAction{{Name: "getinfo", URLSrc: base + "/hosting/capabilities"}}},
		xmlApp{Name: "Settings", Actions: []xmlAction{{Name: "iframe", URLSrc: base + "/browser/0f3a2b1/admin/adminIntegratorSettings.html?"}}},
	)
}

const onlyOfficeQuery = "<rs=DC_LLCC&><dchat=DISABLE_CHAT&><embed=EMBEDDED&><fs=FULLSCREEN&><hid=HOST_SESSION_ID&><rec=RECORDING&>" +
	"<sc=SESSION_CONTEXT&><thm=THEME_ID&><ui=UI_LLCC&><wopisrc=WOPI_SOURCE&>&"

// onlyOfficeApps have Microsoft's names, editnew at the address of edit, and apps
// with MIME names beside them.
func onlyOfficeApps(base string, exts []string) []xmlApp {
	word := xmlApp{Name: "Word", Icon: base + "/web-apps/apps/documenteditor/main/resources/img/favicon.ico"}
	for _, ext := range exts {
		page := base + "/hosting/wopi/word/"
		word.Actions = append(word.Actions,
			xmlAction{Name: "view", Ext: ext, URLSrc: page + "view?" + onlyOfficeQuery},
			xmlAction{Name: "embedview", Ext: ext, URLSrc: page + "view?embed=1&" + onlyOfficeQuery})
		if ext == "doc" {
			word.Actions = append(word.Actions, xmlAction{Name: "convert", Ext: ext, Target: "docx", Requires: "update",
				URLSrc: base + "/hosting/wopi/convert-and-edit/doc/docx?" + onlyOfficeQuery})
			continue
		}
		word.Actions = append(word.Actions,
			xmlAction{Name: "edit", Ext: ext, Default: "true", Requires: "locks,update", URLSrc: page + "edit?" + onlyOfficeQuery},
			xmlAction{Name: "editnew", Ext: ext, Requires: "locks,update", URLSrc: page + "edit?" + onlyOfficeQuery})
	}
	return []xmlApp{
		word,
		{Name: "application/vnd.oasis.opendocument.text", Actions: []xmlAction{{Name: "edit", URLSrc: base + "/hosting/wopi/word/edit?" + onlyOfficeQuery}}},
		{Name: "Capabilities", Actions: []xmlAction{{Name: "getinfo", URLSrc: base + "/hosting/capabilities"}}},
	}
}

const microsoftQuery = "<ui=UI_LLCC&><rs=DC_LLCC&><dchat=DISABLE_CHAT&><hid=HOST_SESSION_ID&><sc=SESSION_CONTEXT&>" +
	"<wopisrc=WOPI_SOURCE&><IsLicensedUser=BUSINESS_USER&><testcategory=VALIDATOR_TEST_CATEGORY><x=NEW_THING&>"

// microsoftApps are those of Office for the web, the validator's own among them.
func microsoftApps(base string, exts []string) []xmlApp {
	word := xmlApp{Name: "Word", Icon: base + "/wv/resources/1033/FavIcon_Word.ico"}
	for _, ext := range exts {
		word.Actions = append(word.Actions,
			xmlAction{Name: "view", Ext: ext, Default: "true", URLSrc: base + "/wv/wordviewerframe.aspx?" + microsoftQuery},
			xmlAction{Name: "edit", Ext: ext, Requires: "locks,update", URLSrc: base + "/we/wordeditorframe.aspx?" + microsoftQuery},
			xmlAction{Name: "editnew", Ext: ext, Requires: "locks,update", URLSrc: base + "/we/wordeditorframe.aspx?new=1&" + microsoftQuery})
	}
	test := xmlApp{Name: "WopiTest"}
	for _, ext := range []string{"wopitest", "wopitestx"} {
		for _, name := range []string{"view", "edit", "getinfo"} {
			test.Actions = append(test.Actions, xmlAction{Name: name, Ext: ext, URLSrc: base + "/wopitest/frame.aspx?" + microsoftQuery})
		}
	}
	return []xmlApp{word, test}
}
