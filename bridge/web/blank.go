package web

import (
	"archive/zip"
	"bytes"
	"embed"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strings"
	"sync"
)

// blanks are the parts of an empty document of each format, to be read and changed by
// people; blank makes documents of them.
//
//go:embed all:blanks
var blanks embed.FS

// blankFormats are the extensions of which there is an empty document, in the order in
// which people are offered them. An empty text file is one of no bytes.
var blankFormats = []string{"txt", "docx", "xlsx", "pptx", "odt", "ods", "odp"}

// blank is an empty document with that extension. Its bytes are the same each time.
func blank(ext string) ([]byte, error) {
	if ext == "txt" || ext == "md" {
		return nil, nil
	}
	return blankOf(ext)
}

var made sync.Map // of blankOf, by extension

func blankOf(ext string) ([]byte, error) {
	if b, ok := made.Load(ext); ok {
		return b.([]byte), nil
	}
	b, err := pack(ext)
	if err != nil {
		return nil, fmt.Errorf("web: an empty %s: %w", ext, err)
	}
	made.Store(ext, b)
	return b, nil
}

// pack puts the parts together. OpenDocument wants its mimetype first, as it is and
// without an extra field, so that a look at the first bytes tells what it is (ODF 1.3
// part 2, 3.3).
func pack(ext string) ([]byte, error) {
	root := "blanks/" + ext
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	if kind, err := blanks.ReadFile(root + "/mimetype"); err == nil {
		w, err := z.CreateRaw(&zip.FileHeader{
			Name: "mimetype", Method: zip.Store, CRC32: crc32.ChecksumIEEE(kind),
			CompressedSize64: uint64(len(kind)), UncompressedSize64: uint64(len(kind)),
		})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(kind); err != nil {
			return nil, err
		}
	}
	err := fs.WalkDir(blanks, root, func(name string, d fs.DirEntry, err error) error {
		part := strings.TrimPrefix(name, root+"/")
		if err != nil || d.IsDir() || part == "mimetype" {
			return err
		}
		b, err := blanks.ReadFile(name)
		if err != nil {
			return err
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: part, Method: zip.Deflate})
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	})
	if err == nil {
		err = z.Close() // writes the directory
	}
	return out.Bytes(), err
}
