package docsapi

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// converters is the service's address, and the one before version 5.5.
var converters = []string{"/converter", "/ConvertService.ashx"}

// A ConversionError is what the conversion service refuses with: a number of its table
// (reference/wopi.md 16.7), which Code turns into a word.
type ConversionError int

// conversionCodes are the words, by the negative of their numbers.
var conversionCodes = map[ConversionError]string{
	-1: "unknown", -2: "timeout", -3: "failed", -4: "download", -5: "password", -6: "database",
	-7: "input", -8: "token", -9: "type", -10: "size",
}

// Code is a word for the reason, stable, for pages that say it in their language.
func (e ConversionError) Code() string {
	if code, ok := conversionCodes[e]; ok {
		return code
	}
	return conversionCodes[-1]
}

// Error says it in English.
func (e ConversionError) Error() string {
	return "docsapi: conversion: " + map[string]string{
		"unknown":  "the document server does not say why it failed",
		"timeout":  "it took too long",
		"failed":   "the document could not be converted",
		"download": "the document server could not fetch the document from here",
		"password": "the document is protected by a password",
		"database": "the document server's database failed",
		"input":    "the document server does not take this kind of file",
		"token":    "the document server does not accept our token",
		"type":     "the kind of file cannot be told",
		"size":     "the document is too large",
	}[e.Code()]
}

// A Conversion is what is asked for. All fields but Title must be set.
type Conversion struct {
	Key      string // the same request is known by it again, and its result kept
	FileType string // of the source: extension without dot, lower case
	Output   string // extension that is wanted
	URL      string // of the source
	Title    string // of the result
}

// Progress is how far a conversion is.
type Progress struct {
	Percent int    // 0 to 100
	Done    bool   // URL is where the result lies
	URL     string // on the document server
	Type    string // extension of the result
}

// Convert begins a conversion, or asks how far it is: the same request again. It returns
// a [ConversionError], [ErrSecret] or [ErrDown].
func (s *Server) Convert(ctx context.Context, c Conversion) (Progress, error) {
	request := struct {
		Async      bool   `json:"async"`
		FileType   string `json:"filetype"`
		Key        string `json:"key"`
		OutputType string `json:"outputtype"`
		Title      string `json:"title,omitempty"`
		URL        string `json:"url"`
	}{true, c.FileType, c.Key, c.Output, clip(c.Title, maxTitle), c.URL}
	var a struct {
		Error   int    `json:"error"`
		End     bool   `json:"endConvert"`
		FileURL string `json:"fileUrl"`
		Type    string `json:"fileType"`
		Percent int    `json:"percent"`
	}
	if err := s.post(ctx, c.Key, request, &a, converters...); err != nil {
		return Progress{}, fmt.Errorf("docsapi: conversion: %w", err)
	}
	switch {
	case a.Error == -8:
		return Progress{}, errors.Join(ConversionError(-8), ErrSecret)
	case a.Error != 0:
		return Progress{}, ConversionError(a.Error)
	case a.End && a.FileURL == "":
		return Progress{}, ConversionError(-3)
	}
	return Progress{Percent: min(max(a.Percent, 0), 100), Done: a.End, URL: a.FileURL, Type: a.Type}, nil
}

// pollEvery is the pause between two questions for the progress of a conversion.
const pollEvery = 500 * time.Millisecond

// ConvertWhole is [Server.Convert] until it is done, or ctx ends.
func (s *Server) ConvertWhole(ctx context.Context, c Conversion) (Progress, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		p, err := s.Convert(ctx, c)
		if err != nil || p.Done {
			return p, err
		}
		select {
		case <-ctx.Done():
			return p, fmt.Errorf("docsapi: conversion: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}
