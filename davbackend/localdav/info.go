package localdav

import (
	"io/fs"
	"mime"
	"path"
	"strings"
	"time"
)

// unborn is the birth of files on file systems that do not record it.
const unborn = -1

// An identity is what the kernel knows a file by. An inode number is used again after
// a file is gone; the birth time tells the two apart.
type identity struct {
	device int64 // 0 the folder's own device
	inode  int64
	birth  int64 // ns since 1970, unborn if unknown
}

// lasting reports whether i can never be another file's.
func (i identity) lasting() bool { return i.birth != unborn }

// An info is what one look at the disk said. Times are ns since 1970.
type info struct {
	identity
	name  string // as asked for, not the name of a link's target
	mode  fs.FileMode
	size  int64
	mtime int64
	ctime int64
	links uint32
	uid   uint32
	gid   uint32
}

func (i info) regular() bool { return i.mode.IsRegular() }
func (i info) dir() bool     { return i.mode.IsDir() }
func (i info) link() bool    { return i.mode&fs.ModeSymlink != 0 }

func (i info) modified() time.Time { return time.Unix(0, i.mtime) }

// same reports whether i and o are the same bytes of the same file, as far as the
// file system tells. ctime is left out: a rename changes it.
func (i info) same(o info) bool {
	return i.identity == o.identity && i.mtime == o.mtime && i.size == o.size
}

// What the machine's mime.types may not know and what would differ between machines.
var officeTypes = map[string]string{
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".doc":  "application/msword",
	".xls":  "application/vnd.ms-excel",
	".ppt":  "application/vnd.ms-powerpoint",
	".odt":  "application/vnd.oasis.opendocument.text",
	".ods":  "application/vnd.oasis.opendocument.spreadsheet",
	".odp":  "application/vnd.oasis.opendocument.presentation",
	".odg":  "application/vnd.oasis.opendocument.graphics",
	".rtf":  "application/rtf",
	".txt":  "text/plain; charset=utf-8",
	".md":   "text/markdown; charset=utf-8",
	".csv":  "text/csv; charset=utf-8",
}

// contentType is decided by the name alone: a listing must not open files.
func contentType(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if t, ok := officeTypes[ext]; ok {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
}
