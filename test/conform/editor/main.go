// Command editor is an editor's server that does nothing but publish: a discovery
// document in Microsoft's manner, with the actions view, edit and getinfo for
// .wopitest and .wopitestx, view and edit for .docx, and two proof keys. Name its
// address as an editor in the bridge's configuration, and let
// test/conform/validate sign with the same keys.
//
//	editor -keys DIR [-listen 127.0.0.1:0]
//
// It makes the keys if they are not there, prints its address on one line and
// serves until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/test/conform"
	"davwopi/test/office"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("editor", flag.ContinueOnError)
	flags.SetOutput(errs)
	listen := flags.String("listen", "127.0.0.1:0", "address to listen on")
	dir := flags.String("keys", "", "folder of the keys, made if absent")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" {
		return errors.New("editor: -keys is missing")
	}
	current, old, err := conform.Keys(*dir)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("editor: %w", err)
	}
	base := "http://" + listener.Addr().String()
	document := office.Discovery(wopi.Microsoft, base, office.Keys{Current: current, Old: old}, "docx")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hosting/discovery", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		_, _ = w.Write(document)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	closed := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer closed()
	fmt.Fprintln(out, base)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("editor: %w", err)
	}
	return nil
}
