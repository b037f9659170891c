// Command validate plays Microsoft's cases for WOPI hosts against a running host.
//
//	validate -wopisrc URL -token T [-category All] [-cases FILE] [-group NAME] [-test NAME] [-keys DIR | -current FILE -old FILE] [-quiet]
//
// It prints a line for each case and the reasons for each failure, and closes with
// "N passed, N failed, N skipped". It exits with 1 if a case failed and with 2 if
// it could not play at all.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"davwopi/test/conform"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	var o conform.Options
	flags := flag.NewFlagSet("validate", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.StringVar(&o.WOPISrc, "wopisrc", "", "WOPISrc of an unlocked, writable file called *.wopitest")
	flags.StringVar(&o.Token, "token", "", "its access token")
	flags.Int64Var(&o.TTL, "ttl", 0, "access_token_ttl to send, milliseconds since 1970")
	flags.StringVar(&o.Category, "category", "All", "which cases: "+strings.Join(conform.Categories(), ", "))
	flags.StringVar(&o.Group, "group", "", "only this group")
	flags.StringVar(&o.Test, "test", "", "only this case")
	cases := flags.String("cases", "", "file of cases (default Microsoft's)")
	keys := flags.String("keys", "", "folder with "+conform.CurrentFile+" and "+conform.OldFile+", made if absent")
	current := flags.String("current", "", "PEM file of the current key, to sign with")
	old := flags.String("old", "", "PEM file of the old key, to sign with")
	quiet := flags.Bool("quiet", false, "print failures only")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := load(&o, *cases, *keys, *current, *old); err != nil {
		fmt.Fprintln(errs, err)
		return 2
	}
	o.Report = func(c conform.Outcome) { report(out, c, *quiet) }
	result, err := conform.Run(ctx, o)
	if err != nil {
		fmt.Fprintln(errs, err)
		return 2
	}
	for _, name := range result.Delayed {
		fmt.Fprintf(out, "All tests skipped: %s uses delay\n", name)
	}
	fmt.Fprintln(out, result)
	if result.Failed > 0 {
		return 1
	}
	return 0
}

// load reads the files that the flags name.
func load(o *conform.Options, cases, keys, current, old string) (err error) {
	if cases != "" {
		if o.Cases, err = os.ReadFile(cases); err != nil {
			return err
		}
	}
	if keys != "" {
		o.Current, o.Old, err = conform.Keys(keys)
		return err
	}
	if current != "" {
		if o.Current, err = conform.ReadKey(current); err != nil {
			return err
		}
	}
	if old != "" {
		o.Old, err = conform.ReadKey(old)
	}
	return err
}

func report(out io.Writer, c conform.Outcome, quiet bool) {
	if quiet && c.Verdict != conform.Fail {
		return
	}
	fmt.Fprintf(out, "%s  %s / %s\n", c.Verdict, c.Group, c.Name)
	for _, reason := range c.Reasons {
		fmt.Fprintf(out, "      %s\n", reason)
	}
}
