package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"davwopi/bridge"
	"davwopi/config"
)

// A call is a command with its arguments on the way to be run.
type call struct {
	surroundings
	command command
	args    []string
	flags   *flag.FlagSet

	configFile string
	overrides  config.Overrides
}

// usualFile is the configuration where none is named: in the folder in which davwopi is
// started, as the state and the documents are.
const usualFile = "davwopi.yaml"

// newCall prepares the flags that every command has.
func newCall(c command, args []string, around surroundings) *call {
	k := &call{surroundings: around, command: c, args: args, overrides: config.Overrides{}}
	k.flags = flag.NewFlagSet("davwopi "+c.name, flag.ContinueOnError)
	k.flags.SetOutput(io.Discard) // what is wrong is said once, by run
	if _, err := os.Stat(usualFile); err == nil {
		k.configFile = usualFile
	}
	for _, entry := range around.environ {
		if file, ok := strings.CutPrefix(entry, "DAVWOPI_CONFIG="); ok {
			k.configFile = file
		}
	}
	k.flags.StringVar(&k.configFile, "config", k.configFile, "configuration `FILE`, \"\" for none; else "+usualFile+" where there is one")
	k.override("state", "state", "`DIR` that keeps what must survive a restart")
	return k
}

// override makes a flag that sets a configuration key.
func (k *call) override(flagName, key, help string) {
	k.flags.Func(flagName, help, func(value string) error {
		k.overrides[key] = value
		return nil
	})
}

// parse reads the flags and wants between least and most further arguments. Flags
// may also stand behind them.
func (k *call) parse(least, most int) ([]string, error) {
	var rest []string
	args := k.args
	for {
		if err := k.flags.Parse(args); err != nil {
			if err == flag.ErrHelp {
				k.help()
				return nil, err
			}
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		if k.flags.NArg() == 0 {
			break
		}
		rest, args = append(rest, k.flags.Arg(0)), k.flags.Args()[1:]
	}
	switch {
	case len(rest) < least:
		return nil, fmt.Errorf("%w: something is missing behind %s", errUsage, strings.Join(append([]string{k.command.name}, rest...), " "))
	case len(rest) > most:
		return nil, fmt.Errorf("%w: %q is one argument too many", errUsage, rest[most])
	}
	return rest, nil
}

// help says what the command is for, and every flag that it takes.
func (k *call) help() {
	fmt.Fprintf(k.stdout, "%s\n        %s\n\n", k.command.usage(), k.command.summary)
	k.flags.SetOutput(k.stdout)
	k.flags.PrintDefaults()
}

// load reads the configuration that the flags and the environment name.
func (k *call) load() (*config.Config, error) {
	return config.Load(k.configFile, k.environ, k.overrides)
}

// ask sends a command to the daemon that runs on the state directory.
func (k *call) ask(ctx context.Context, name string, arguments, out any) error {
	c, err := k.load()
	if err != nil {
		return err
	}
	return bridge.Ask(ctx, socketOf(c), name, arguments, out)
}

// socketOf is the admin socket of a state directory.
func socketOf(c *config.Config) string { return filepath.Join(c.State.Dir, "admin.sock") }

// printJSON shows a value to a script.
func (k *call) printJSON(v any) error {
	e := json.NewEncoder(k.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
