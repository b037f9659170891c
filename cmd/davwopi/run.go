package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"davwopi/config"
)

// surroundings are what a process has besides its arguments, so that tests can
// call run.
type surroundings struct {
	environ        []string
	stdout, stderr io.Writer
}

// Exit statuses: 1 the command failed, 2 its arguments or the configuration are
// wrong.
const (
	exitOK = iota
	exitFailed
	exitUsage
)

// A command is one sub-command. Its error is printed; one that wraps errUsage or
// is config.Faults gives exit status 2.
type command struct {
	name, arguments, summary string
	run                      func(context.Context, *call) error
}

var errUsage = errors.New("usage")

// usage is how the command is typed.
func (c command) usage() string { return strings.TrimSpace("davwopi " + c.name + " " + c.arguments) }

func commands() []command {
	return []command{
		{"serve", "", "serve the folder or the upstream until stopped", serve},
		{"invite", "[-name NAME | -owner]", "print a sign-in link for another person, or a new one for yourself", invite},
		{"open", "[-json] [-user NAME] [-mode edit|view] [-editor NAME] PATH", "make everything that an editor needs to open a document", open},
		{"ids", "PATH|ID | show PATH|ID | find TEXT | moved OLD NEW | verify [-repair] [PATH] | export FILE | import FILE", "what is known of files and folders, and by which IDs", ids},
		{"locks", "list | release ID", "list open documents, release a lock", lockCommand},
		{"saves", "list | show ID | restore ID | undo PATH|ID | drop ID [-user NAME]", "list and read what lies in the save journal, make a document of it, undo a save, or drop it", saveCommand},
		{"shares", "[-json] list | revoke ID", "list the links that people have made to files, end one at once", shareCommand},
		{"signout", "NAME", "end at once what a person has open anywhere: browsers, phones, documents", signOutCommand},
		{"state", "backup FILE|DIR | restore [-replace] FILE | restored | migrate | export FILE | import FILE | check", "back up IDs, locks and waiting saves, put a backup back, move all of it to PostgreSQL, look whether it is whole", stateCommand},
		{"app-password", "[-user NAME] [-name NAME] | list | revoke ID", "make a password for /dav/", appPassword},
		{"onboarding", "[-json] [-out DIR] [-name NAME] [-user NAME]", "print what Microsoft asks of a host before Office on phones is let in, write the icons, try the way of a phone", onboardingCommand},
		{"doctor", "[-json] [-probe [-user NAME]]", "try every direction that has to work, and say what to paste where", doctorCommand},
		{"rehearse", "[-json] [-upstream NAME] [-user NAME]", "play whole editings on the upstream and say what is protected", rehearseCommand},
		{"log-level", "[error|warn|info|debug]", "tell or change what the running daemon logs, until its next start", logLevelCommand},
		{"config", "check", "say everything that is wrong with the configuration", configCommand},
		{"health", "", "ask the running daemon whether it is well (for containers)", health},
		{"version", "", "print the version", version},
	}
}

// run is main with its surroundings passed in. It returns the exit status.
func run(ctx context.Context, args []string, around surroundings) int {
	switch {
	case len(args) > 1 && args[0] == "help":
		args = []string{args[1], "-h"}
	case len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help":
		usage(around.stdout)
		return exitOK
	case args[0] == "-version" || args[0] == "--version":
		args = []string{"version"}
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		err := c.run(ctx, newCall(c, args[1:], around))
		var faults config.Faults
		switch {
		case err == nil:
			return exitOK
		case errors.Is(err, flag.ErrHelp):
			return exitOK
		case errors.As(err, &faults):
			for _, fault := range faults {
				fmt.Fprintln(around.stderr, "davwopi: configuration:", fault)
			}
			return exitUsage
		case errors.Is(err, errUsage):
			fmt.Fprintf(around.stderr, "davwopi: %s\nusage: %s\nmore:  davwopi help %s\n", strings.TrimPrefix(err.Error(), errUsage.Error()+": "), c.usage(), c.name)
			return exitUsage
		}
		fmt.Fprintln(around.stderr, "davwopi:", err)
		return exitFailed
	}
	fmt.Fprintf(around.stderr, "davwopi: there is no command %q; davwopi help lists them\n", args[0])
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "davwopi opens and edits the files of a WebDAV server in office programs.")
	fmt.Fprintln(w)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %s\n        %s\n", c.usage(), c.summary)
	}
	fmt.Fprintln(w, "\ndavwopi help COMMAND tells all that a command takes. Every command takes -config FILE -state DIR; serve also -listen ADDR -dir FOLDER.")
	fmt.Fprintln(w, "Each is a variable DAVWOPI_... too, and all but the first a key of the configuration.")
	fmt.Fprintln(w, "Without -config "+usualFile+" is read, where there is one.")
}
