package docsapi

import (
	"context"
	"errors"
	"fmt"
)

// What the command service refuses with (reference/wopi.md 16.6).
var (
	ErrUnknownKey = errors.New("docsapi: the document server does not know this key")
	ErrUnchanged  = errors.New("docsapi: nothing has changed since the last save")
	ErrSecret     = errors.New("docsapi: the document server does not accept our token: the secrets differ, or the clocks do")
	errCommand    = errors.New("docsapi: the document server refuses the command")
)

// commands is the service's address, and the one before version 8.2.
var commands = []string{"/command", "/coauthoring/CommandService.ashx"}

// A command is what is asked of the service.
type command struct {
	Command string   `json:"c"`
	Key     string   `json:"key,omitempty"`
	Users   []string `json:"users,omitempty"`
	Data    string   `json:"userdata,omitempty"`
	Meta    *meta    `json:"meta,omitempty"`
}

type meta struct {
	Title string `json:"title"`
}

// commandAnswer is what comes back, of all commands.
type commandAnswer struct {
	Error   int      `json:"error"`
	Users   []string `json:"users"`
	Version string   `json:"version"`
	URL     string   `json:"url"`
	Keys    []string `json:"keys"`
	License struct {
		End   string `json:"end_date"`
		Trial bool   `json:"trial"`
	} `json:"license"`
	Server struct {
		Result  int `json:"resultType"`
		Package int `json:"packageType"`
	} `json:"server"`
}

func (s *Server) command(ctx context.Context, c command) (commandAnswer, error) {
	var a commandAnswer
	if err := s.post(ctx, c.Key, c, &a, commands...); err != nil {
		return a, fmt.Errorf("docsapi: command %s: %w", c.Command, err)
	}
	switch a.Error {
	case 0:
		return a, nil
	case 1:
		return a, ErrUnknownKey
	case 4:
		return a, ErrUnchanged
	case 6, 7:
		return a, ErrSecret
	}
	// 2: the callback's address is wrong; 3: an internal error; 5: no such command.
	return a, fmt.Errorf("%w: %s: %d", errCommand, c.Command, a.Error)
}

// Info asks for the state of a document: who edits it. The document server tells the
// callback, too. [ErrUnknownKey] if nobody has it open.
func (s *Server) Info(ctx context.Context, key string) (users []string, err error) {
	a, err := s.command(ctx, command{Command: "info", Key: key})
	return a.Users, err
}

// ForceSave asks for a save now, which comes to the callback with status 6 and data.
// [ErrUnchanged] if there is nothing to save.
func (s *Server) ForceSave(ctx context.Context, key, data string) error {
	_, err := s.command(ctx, command{Command: "forcesave", Key: key, Data: data})
	return err
}

// Drop turns users into viewers; nobody named: all. It is no error if none of them is
// there.
func (s *Server) Drop(ctx context.Context, key string, users ...string) error {
	_, err := s.command(ctx, command{Command: "drop", Key: key, Users: users})
	return err
}

// Rename tells all who have the document open its new name.
func (s *Server) Rename(ctx context.Context, key, title string) error {
	_, err := s.command(ctx, command{Command: "meta", Key: key, Meta: &meta{clip(title, maxTitle)}})
	return err
}

// Version is that of the document server.
func (s *Server) Version(ctx context.Context) (string, error) {
	a, err := s.command(ctx, command{Command: "version"})
	return a.Version, err
}

// A License is what a document server says of its own.
type License struct {
	Valid bool   // it is not expired, or there is none, as in the free edition
	Trial bool   // for a while only
	End   string // as it says, "" never
	Free  bool   // the free edition
}

// License asks for it.
func (s *Server) License(ctx context.Context) (License, error) {
	a, err := s.command(ctx, command{Command: "license"})
	// 1 error, 2 expired, 3 valid, 6 trial expired (reference/wopi.md 16.6).
	return License{Valid: a.Server.Result == 3, Trial: a.License.Trial, End: clip(a.License.End, 40), Free: a.Server.Package == 0}, err
}

// Forgotten lists the keys whose last save nobody took.
func (s *Server) Forgotten(ctx context.Context) ([]string, error) {
	a, err := s.command(ctx, command{Command: "getForgottenList"})
	return a.Keys, err
}

// ForgottenURL is where the result of a forgotten save lies. [ErrUnknownKey].
func (s *Server) ForgottenURL(ctx context.Context, key string) (string, error) {
	a, err := s.command(ctx, command{Command: "getForgotten", Key: key})
	if err == nil && a.URL == "" {
		err = ErrUnknownKey
	}
	return a.URL, err
}

// DeleteForgotten lets go of it.
func (s *Server) DeleteForgotten(ctx context.Context, key string) error {
	_, err := s.command(ctx, command{Command: "deleteForgotten", Key: key})
	return err
}

const (
	maxTitle = 128 // characters of document.title
	maxName  = 128 // of a person's name
)

// clip cuts a text after n characters.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n])
}
