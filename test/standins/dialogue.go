package standins

import (
	"embed"
	"fmt"
	"strings"

	"davwopi/bridge/wopi"
)

//go:embed dialogues
var dialogues embed.FS

// A Message is one that an editor and a host page may exchange.
type Message struct {
	Name   string  `json:"name"`
	Values []Value `json:"values"`
	List   bool    `json:"list"` // Values are a list
	Heard  string  `json:"heard"`
	Source string  `json:"source"`
}

// A Value is a part of a message.
type Value struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"` // string, number, boolean, object, url; "" one of Words
	Words    []string `json:"words"`
	Optional bool     `json:"optional"`
}

// A Dialogue is all that passes between an editor and a host page.
type Dialogue struct {
	Editor map[string]Message `json:"editor"` // by name, what the editor says
	Page   map[string]Message `json:"page"`   // and the page
	Every  []Value            `json:"every"`  // of each message of the editor
}

// Read returns the dialogue of a kind of editor.
func Read(kind wopi.Office) (Dialogue, error) {
	text, err := dialogues.ReadFile("dialogues/" + kind.String() + ".txt")
	if err != nil {
		return Dialogue{}, fmt.Errorf("standins: %w", err)
	}
	d := Dialogue{Editor: map[string]Message{}, Page: map[string]Message{}}
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := d.add(line); err != nil {
			return Dialogue{}, fmt.Errorf("standins: %s.txt:%d: %w", kind, i+1, err)
		}
	}
	return d, nil
}

func (d *Dialogue) add(line string) error {
	parts := strings.Split(line, "|")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	var err error
	if parts[0] == "every" && len(parts) == 2 {
		d.Every, err = values(parts[1])
		return err
	}
	if len(parts) != 5 || parts[1] == "" || parts[4] == "" {
		return fmt.Errorf("%q is not WHO | NAME | VALUES | HEARD | SOURCE", line)
	}
	m := Message{Name: parts[1], List: parts[2] == "list", Heard: parts[3], Source: parts[4]}
	if !m.List {
		if m.Values, err = values(parts[2]); err != nil {
			return err
		}
	}
	to := map[string]map[string]Message{"<": d.Editor, ">": d.Page}[parts[0]]
	heard := parts[0] == "<" && m.Heard == "" || parts[0] == ">" && strings.Contains(" any ready loaded ", " "+m.Heard+" ")
	if _, again := to[m.Name]; to == nil || again || !heard {
		return fmt.Errorf("%q: unknown speaker, said twice, or heard at no time", line)
	}
	to[m.Name] = m
	return nil
}

func values(text string) ([]Value, error) {
	list := []Value{}
	for _, field := range strings.Fields(text) {
		name, kind, ok := strings.Cut(field, ":")
		v := Value{Name: strings.TrimSuffix(name, "?"), Type: kind, Optional: strings.HasSuffix(name, "?")}
		if !ok || v.Name == "" || kind == "" {
			return nil, fmt.Errorf("%q is not NAME:TYPE", field)
		}
		if !strings.Contains(" string number boolean object url ", " "+kind+" ") {
			v.Type, v.Words = "", strings.Split(kind, "/")
		}
		list = append(list, v)
	}
	return list, nil
}
