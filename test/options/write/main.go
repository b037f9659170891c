// Command write writes the page of package options; it is run in config by go generate.
package main

import (
	"fmt"
	"os"

	"davwopi/test/options"
)

func main() {
	text, err := options.Markdown(".")
	if err == nil {
		err = os.WriteFile("../deploy/docs/CONFIGURATION.md", []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
