package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The sample files of a folder that did not exist.

const welcome = `Welcome to davwopi.

This file lies in the folder that davwopi serves. Change something, press Ctrl+S,
and look at the file on your disk: the change is there.

Open it in a second browser as a second person (davwopi invite) and you will see
that a document which somebody edits is read-only for the others, and who it is.

Letter.docx wants Collabora Online or ONLYOFFICE: its page tells what to add.
`

const notes = `# Notes

- [x] started davwopi
- [ ] connected an editor for office documents
- [ ] pointed it at my WebDAV server (upstream.url)
`

// makeSamples makes dir with a few sample files if it does not exist. An existing
// folder is left as it is. Where not even the folder around it exists, that is mistyped, or a
// disk that is not mounted: nothing is made in its place.
func makeSamples(dir string) error {
	if _, err := os.Stat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Dir(dir)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("dir: there is no folder %s, nor one around it: is the name right, and the disk mounted?", dir)
	}
	letter, err := minimalDocx("Dear reader,", "this letter opens in Collabora Online, ONLYOFFICE or Microsoft Office.")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "Projects"), 0o755); err != nil {
		return fmt.Errorf("make sample folder: %w", err)
	}
	for name, text := range map[string][]byte{
		"Welcome.txt":       []byte(welcome),
		"Projects/Notes.md": []byte(notes),
		"Letter.docx":       letter,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return fmt.Errorf("make sample file: %w", err)
		}
	}
	return nil
}

// minimalDocx is a word processing document with one paragraph per text
// (ECMA-376 part 1: package, relationships, main document).
func minimalDocx(paragraphs ...string) ([]byte, error) {
	const head = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	body := ""
	for _, p := range paragraphs {
		body += `<w:p><w:r><w:t>` + p + `</w:t></w:r></w:p>`
	}
	parts := []struct{ name, text string }{
		{"[Content_Types].xml", head + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
			`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
			`<Default Extension="xml" ContentType="application/xml"/>` +
			`<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`},
		{"_rels/.rels", head + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
			`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`},
		{"word/document.xml", head + `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>` +
			body + `</w:body></w:document>`},
	}
	var file bytes.Buffer
	z := zip.NewWriter(&file)
	for _, part := range parts {
		w, err := z.Create(part.name)
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, part.text); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return file.Bytes(), nil
}
