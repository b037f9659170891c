// Command gosec compares a report of gosec (JSON, on standard input) with the excuses in
// test/scripts/gosec.txt: a finding without an excuse fails, and an excuse that excuses
// nothing any more is told.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// An excuse is a line of the file: rule, file or folder/, reason.
type excuse struct {
	rule, where, reason string
	line                int
	used                bool
}

func main() {
	if err := compare(); err != nil {
		fmt.Fprintln(os.Stderr, "gosec:", err)
		os.Exit(1)
	}
}

func compare() error {
	excuses, err := readExcuses("test/scripts/gosec.txt")
	if err != nil {
		return err
	}
	var report struct {
		Issues []struct {
			Rule    string `json:"rule_id"`
			Details string `json:"details"`
			File    string `json:"file"`
			Line    string `json:"line"`
			Code    string `json:"code"`
		}
		Errors map[string]any `json:"Golang errors"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&report); err != nil {
		return fmt.Errorf("the report cannot be read: %w", err)
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	bad := 0
	for _, i := range report.Issues {
		file, err := filepath.Rel(here, i.File)
		if err != nil {
			return err
		}
		if !excused(excuses, i.Rule, filepath.ToSlash(file)) {
			bad++
			fmt.Printf("%s:%s: %s %s\n%s", file, i.Line, i.Rule, i.Details, i.Code)
		}
	}
	for _, e := range excuses {
		if !e.used {
			fmt.Printf("test/scripts/gosec.txt:%d: %s %s excuses nothing any more\n", e.line, e.rule, e.where)
		}
	}
	if len(report.Errors) > 0 || bad > 0 {
		return fmt.Errorf("%d findings without an excuse, %d packages that it could not read", bad, len(report.Errors))
	}
	fmt.Printf("gosec: %d findings, all excused\n", len(report.Issues))
	return nil
}

func excused(excuses []excuse, rule, file string) bool {
	found := false
	for i := range excuses {
		e := &excuses[i]
		if e.rule == rule && (e.where == file || strings.HasSuffix(e.where, "/") && strings.HasPrefix(file, e.where)) {
			e.used, found = true, true
		}
	}
	return found
}

func readExcuses(file string) ([]excuse, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []excuse
	in := bufio.NewScanner(f)
	for n := 1; in.Scan(); n++ {
		text := strings.TrimSpace(in.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		words := strings.SplitN(text, " ", 3)
		if len(words) < 3 {
			return nil, fmt.Errorf("%s:%d: wants a rule, a file and a reason", file, n)
		}
		list = append(list, excuse{rule: words[0], where: words[1], reason: words[2], line: n})
	}
	return list, in.Err()
}
