package discovery

import "davwopi/bridge/wopi"

// Mode is a way to open a file, in the words of discovery.
type Mode string

// The modes that are asked for.
const (
	ModeView      Mode = "view"
	ModeEdit      Mode = "edit"
	ModeEditNew   Mode = "editnew" // an empty file, filled from the office's template
	ModeConvert   Mode = "convert" // a copy in a modern format, then edit
	ModeEmbedView Mode = "embedview"
)

// viewComment is Collabora's way to view what can be commented on, a PDF say.
const viewComment Mode = "view_comment"

// validator is the app that plays Microsoft's WOPI validator.
const validator = "WopiTest"

// An Action is a way to open a file in an editor.
type Action struct {
	Editor Editor
	Office wopi.Office
	Mode   Mode // what it is, which may be less than was asked for
	App    string
	Ext    string
	Icon   string
	URLSrc string
	Target string // targetext of convert
	Docs   bool   // opened by the Docs API: URLSrc is the script that makes the editor
}

// Validates reports whether a plays the WOPI validator, which writes over the file:
// Category of [Params] is for it.
func (a Action) Validates() bool { return a.App == validator }

// tiers returns the names of actions that serve a mode. A tier is tried with every
// editor before the next one is; within it the best comes first.
func tiers(mode Mode, size int64) [][]Mode {
	switch mode {
	case ModeEdit:
		edit := []Mode{ModeEdit}
		if size == 0 {
			edit = []Mode{ModeEditNew, ModeEdit}
		}
		return [][]Mode{edit, {ModeConvert}, {ModeView, viewComment}}
	case ModeEditNew:
		return [][]Mode{{ModeEditNew, ModeEdit}}
	case ModeView:
		return [][]Mode{{ModeView, viewComment, ModeEdit}}
	case ModeEmbedView:
		return [][]Mode{{ModeEmbedView, ModeView, viewComment, ModeEdit}}
	}
	return [][]Mode{{mode}}
}

// first finds an action of one tier.
func (d *document) first(ext string, tier []Mode) (a rawAction, found Mode, ok bool) {
	for _, name := range tier {
		if a, ok := d.match(ext, name); ok {
			return a, name, true
		}
	}
	return rawAction{}, "", false
}

// match finds the action called name for an extension: one that is the default
// before others, and if no action names the extension, one of the app that is
// called like the extension's MIME type. The validator edits what it views.
func (d *document) match(ext string, name Mode) (rawAction, bool) {
	if ext == "" {
		return rawAction{}, false
	}
	if a, ok := d.best(name, func(a rawAction) bool { return a.ext == ext }); ok {
		return a, true
	}
	if name == ModeEdit {
		// The validator may list view alone, and writes all the same.
		if a, ok := d.best(ModeView, func(a rawAction) bool { return a.ext == ext && a.app == validator }); ok {
			return a, true
		}
	}
	mime := mimeTypes[ext]
	return d.best(name, func(a rawAction) bool { return mime != "" && a.ext == "" && a.app == mime })
}

func (d *document) best(name Mode, fits func(rawAction) bool) (best rawAction, ok bool) {
	for _, a := range d.actions {
		if Mode(a.name) != name || !fits(a) {
			continue
		}
		if a.isDefault {
			return a, true
		}
		if !ok {
			best, ok = a, true
		}
	}
	return best, ok
}

// action makes the answer. An edit action that serves for viewing is called
// what was asked for: it is the grant that makes it read-only.
func (a rawAction) action(d Editor, office wopi.Office, found, asked Mode, ext string) Action {
	mode := found
	switch {
	case found == viewComment:
		mode = ModeView
	case found == ModeEdit && (asked == ModeView || asked == ModeEmbedView):
		mode = ModeView
	}
	if d.Name == "" {
		d.Name = label(office, d.URL)
	}
	return Action{Editor: d, Office: office, Mode: mode, App: a.app, Ext: ext, Icon: a.icon, URLSrc: a.urlsrc, Target: a.target, Docs: a.docs}
}

// mimeTypes are those by which Collabora, and ONLYOFFICE beside its own names,
// call apps whose actions name no extension.
var mimeTypes = map[string]string{
	"odt":  "application/vnd.oasis.opendocument.text",
	"ott":  "application/vnd.oasis.opendocument.text-template",
	"ods":  "application/vnd.oasis.opendocument.spreadsheet",
	"ots":  "application/vnd.oasis.opendocument.spreadsheet-template",
	"odp":  "application/vnd.oasis.opendocument.presentation",
	"otp":  "application/vnd.oasis.opendocument.presentation-template",
	"odg":  "application/vnd.oasis.opendocument.graphics",
	"doc":  "application/msword",
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"docm": "application/vnd.ms-word.document.macroEnabled.12",
	"dotx": "application/vnd.openxmlformats-officedocument.wordprocessingml.template",
	"xls":  "application/vnd.ms-excel",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
	"xlsb": "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
	"xltx": "application/vnd.openxmlformats-officedocument.spreadsheetml.template",
	"ppt":  "application/vnd.ms-powerpoint",
	"pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"pptm": "application/vnd.ms-powerpoint.presentation.macroEnabled.12",
	"ppsx": "application/vnd.openxmlformats-officedocument.presentationml.slideshow",
	"potx": "application/vnd.openxmlformats-officedocument.presentationml.template",
	"rtf":  "text/rtf",
	"txt":  "text/plain",
	"csv":  "text/csv",
	"html": "text/html",
	"pdf":  "application/pdf",
	"epub": "application/epub+zip",
	"vsd":  "application/vnd.visio",
	"svg":  "image/svg+xml",
}
