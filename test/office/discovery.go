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

// legacy are the formats that Microsoft's editors and ONLYOFFICE show, and make a
// modern one of before they edit it.
var legacy = map[string]string{"doc": "docx", "xls": "xlsx", "ppt": "pptx", "pps": "pptx"}

// appOf is the app of Microsoft's names that opens an extension.
func appOf(ext string) string {
	switch ext {
	case "xls", "xlsx", "xlsm", "ods", "csv":
		return "Excel"
	case "ppt", "pps", "pptx", "odp":
		return "PowerPoint"
	}
	return "Word"
}

// onlyOfficeApps have Microsoft's names, editnew at the address of edit, and apps
// with MIME names beside them.
func onlyOfficeApps(base string, exts []string) []xmlApp {
	icon := base + "/web-apps/apps/documenteditor/main/resources/img/favicon.ico"
	apps := []xmlApp{{Name: "Word", Icon: icon}, {Name: "Excel", Icon: icon}, {Name: "PowerPoint", Icon: icon}}
	for _, ext := range exts {
		for i, kind := range []string{"word", "cell", "slide"} {
			if apps[i].Name == appOf(ext) {
				apps[i].Actions = append(apps[i].Actions, onlyOfficeActions(base, kind, ext)...)
			}
		}
	}
	return append(apps,
		xmlApp{Name: "application/vnd.oasis.opendocument.text", Actions: []xmlAction{{Name: "edit", URLSrc: base + "/hosting/wopi/word/edit?" + onlyOfficeQuery}}},
		xmlApp{Name: "Capabilities", Actions: []xmlAction{{Name: "getinfo", URLSrc: base + "/hosting/capabilities"}}},
	)
}

func onlyOfficeActions(base, kind, ext string) []xmlAction {
	page := base + "/hosting/wopi/" + kind + "/"
	actions := []xmlAction{
		{Name: "view", Ext: ext, URLSrc: page + "view?" + onlyOfficeQuery},
		{Name: "embedview", Ext: ext, URLSrc: page + "view?embed=1&" + onlyOfficeQuery},
		{Name: "mobileView", Ext: ext, URLSrc: page + "view?mobile=1&" + onlyOfficeQuery},
	}
	if target := legacy[ext]; target != "" {
		actions[0].Default = "true"
		return append(actions, xmlAction{Name: "convert", Ext: ext, Target: target, Requires: "update",
			URLSrc: base + "/hosting/wopi/convert-and-edit/" + ext + "/" + target + "?" + onlyOfficeQuery})
	}
	return append(actions,
		xmlAction{Name: "edit", Ext: ext, Default: "true", Requires: "locks,update", URLSrc: page + "edit?" + onlyOfficeQuery},
		xmlAction{Name: "mobileEdit", Ext: ext, Requires: "locks,update", URLSrc: page + "edit?mobile=1&" + onlyOfficeQuery},
		xmlAction{Name: "editnew", Ext: ext, Requires: "locks,update", URLSrc: page + "edit?" + onlyOfficeQuery})
}

const microsoftQuery = "<ui=UI_LLCC&><rs=DC_LLCC&><dchat=DISABLE_CHAT&><hid=HOST_SESSION_ID&><sc=SESSION_CONTEXT&>" +
	"<wopisrc=WOPI_SOURCE&><IsLicensedUser=BUSINESS_USER&>"

// microsoftPages are where the apps view, edit, make new and convert.
var microsoftPages = map[string][4]string{
	"Word":       {"/wv/wordviewerframe.aspx?", "/we/wordeditorframe.aspx?", "/we/wordeditorframe.aspx?new=1&", "/we/WordConvertAndEdit.aspx?"},
	"Excel":      {"/x/_layouts/xlviewerinternal.aspx?", "/x/_layouts/xlviewerinternal.aspx?edit=1&", "/x/_layouts/xlviewerinternal.aspx?edit=1&new=1&", "/x/_layouts/ExcelConvertAndEdit.aspx?"},
	"PowerPoint": {"/p/PowerPointFrame.aspx?PowerPointView=ReadingView&", "/p/PowerPointFrame.aspx?PowerPointView=EditView&", "/p/PowerPointFrame.aspx?PowerPointView=EditView&New=1&", "/p/PptConvertAndEdit.aspx?"},
}

// microsoftApps are those of Office for the web, the validator's own among them. They
// view a PDF, and csv they convert.
func microsoftApps(base string, exts []string) []xmlApp {
	apps := []xmlApp{{Name: "Word"}, {Name: "Excel"}, {Name: "PowerPoint"}}
	for _, ext := range exts {
		for i := range apps {
			if apps[i].Icon = base + "/wv/resources/1033/FavIcon.ico"; apps[i].Name == appOf(ext) {
				apps[i].Actions = append(apps[i].Actions, microsoftActions(base, apps[i].Name, ext)...)
			}
		}
	}
	return append(apps, validator(base))
}

func microsoftActions(base, app, ext string) []xmlAction {
	pages := microsoftPages[app]
	at := func(page int) string { return base + pages[page] + microsoftQuery + "<x=NEW_THING&>" }
	actions := []xmlAction{{Name: "view", Ext: ext, Default: "true", URLSrc: at(0)}}
	target := legacy[ext]
	if ext == "csv" {
		target = "xlsx"
	}
	switch {
	case ext == "pdf" || ext == "rtf":
		return actions
	case target != "":
		return append(actions, xmlAction{Name: "convert", Ext: ext, Target: target, Requires: "update", URLSrc: at(3)})
	}
	return append(actions,
		xmlAction{Name: "edit", Ext: ext, Requires: "locks,update", URLSrc: at(1)},
		xmlAction{Name: "editnew", Ext: ext, Requires: "locks,update", URLSrc: at(2)})
}

// validator is the app that plays the WOPI validator. For wopitest it has what an
// Office Online Server has; the service has edit too, as here for wopitestx.
func validator(base string) xmlApp {
	frame, info := base+"/hosting/WopiTestFrame.aspx?", base+"/hosting/GetWopiTestInfo.ashx?"
	const query = microsoftQuery + "<testcategory=VALIDATOR_TEST_CATEGORY>"
	return xmlApp{Name: "WopiTest", Actions: []xmlAction{
		{Name: "view", Ext: "wopitest", URLSrc: frame + query},
		{Name: "getinfo", Ext: "wopitest", URLSrc: info + query},
		{Name: "view", Ext: "wopitestx", URLSrc: frame + query},
		{Name: "edit", Ext: "wopitestx", URLSrc: frame + query},
		{Name: "getinfo", Ext: "wopitestx", URLSrc: info + query},
	}}
}
