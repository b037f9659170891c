package torture

import (
	"bufio"
	"encoding/hex"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A call is a system call of the recorded daemon that changes files, makes them
// durable, or sends something.
type call struct {
	name       string
	args       []string // decoded; of a descriptor the path behind it
	result     string
	begun, end int // lines of the log
}

// traced are the calls that are recorded. One that is not known to the replay fails
// the test.
const traced = "openat,openat2,open,creat,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range," +
	"rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,symlinkat,truncate,ftruncate,fallocate," +
	"copy_file_range,sendfile,splice"

// recorder is the command line that records a program into a file, as its child. The
// program itself stays the direct child of whoever starts it.
func recorder(t *testing.T, file string) []string {
	t.Helper()
	path := program(t, "strace")
	return []string{path, "-D", "-f", "-y", "-q", "-xx", "-s", "1048576", "-o", file, "-e", "trace=" + traced, "-e", "signal=none"}
}

var (
	callLine    = regexp.MustCompile(`^(\d+) +(\w+)\((.*)$`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)$`)
	resultPart  = regexp.MustCompile(`^(.*)\) += (-?\d+|\?)(?:<([^>]*)>)?(?: .*)?$`)
	hexPart     = regexp.MustCompile(`(?:\\x[0-9a-f]{2})+`)
)

// readCalls reads a log of strace. What failed is left out.
func readCalls(t *testing.T, file string) []call {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewReaderSize(f, 1<<20)
	open := map[string]call{} // unfinished, by thread
	text := map[string]string{}
	var all []call
	for n := 0; ; n++ {
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		line = strings.TrimSuffix(line, "\n")
		c := call{begun: n, end: n}
		var thread, rest string
		if m := resumedLine.FindStringSubmatch(line); m != nil {
			thread = m[1]
			c = open[thread]
			c.end, rest = n, text[thread]+m[3]
			delete(open, thread)
		} else if m := callLine.FindStringSubmatch(line); m != nil {
			thread, c.name, rest = m[1], m[2], m[3]
		} else {
			continue // the end of a thread
		}
		if head, unfinished := strings.CutSuffix(rest, " <unfinished ...>"); unfinished {
			open[thread], text[thread] = c, head
			continue
		}
		m := resultPart.FindStringSubmatch(rest)
		if m == nil {
			t.Fatalf("%s:%d: not understood: %.200s", file, n+1, line)
		}
		if strings.HasPrefix(m[2], "-") || m[2] == "?" || c.name == "" {
			continue
		}
		if c.result = m[2]; m[3] != "" {
			c.result = decode(m[3])
		}
		for _, a := range splitArgs(m[1]) {
			c.args = append(c.args, argument(a))
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b call) int { return a.end - b.end })
	return all
}

func decode(s string) string {
	return hexPart.ReplaceAllStringFunc(s, func(h string) string {
		b, _ := hex.DecodeString(strings.ReplaceAll(h, `\x`, "")) // the pattern lets nothing else in
		return string(b)
	})
}

// splitArgs splits at the commas that are outside of braces: everything that might
// hold one is in hex.
func splitArgs(s string) []string {
	var all []string
	depth, from := 0, 0
	for i, c := range s {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth == 0 {
				all, from = append(all, strings.TrimSpace(s[from:i])), i+1
			}
		}
	}
	return append(all, strings.TrimSpace(s[from:]))
}

// argument decodes one: a text, or the path of a descriptor, or itself.
func argument(a string) string {
	if strings.HasPrefix(a, `"`) {
		return decode(strings.Trim(strings.TrimSuffix(a, "..."), `"`))
	}
	if i := strings.Index(a, "<"); i >= 0 && strings.HasSuffix(a, ">") {
		return decode(a[i+1 : len(a)-1])
	}
	return a
}
