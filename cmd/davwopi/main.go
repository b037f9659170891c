// Command davwopi lets Collabora Online, ONLYOFFICE and Microsoft Office open and
// edit the files of a WebDAV server. Run it without arguments for its commands;
// the package config is the manual of what can be set.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], surroundings{
		environ: os.Environ(),
		stdout:  os.Stdout,
		stderr:  os.Stderr,
	})
	stop()
	os.Exit(status)
}
