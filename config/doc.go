// Package config is the operator's page: what can be set, and what it means.
//
// It owns the keys, their defaults, their reading from a strict YAML file and
// from the environment, and the list of everything that is wrong with them. It
// does not own what the keys lead to: only cmd reads a [Config] and hands each
// room plain fields.
//
// A caller makes one with [Load], and shows all [Faults] at once when there are
// any. The comments and examples of [Config] are the manual: deploy/docs/CONFIGURATION.md is made
// from them (go generate), and the table in the README is checked by a test.
//
// Rules: a key that is not known, or a value that makes no sense, is a fault and
// nothing starts; no key is read and then ignored; a secret is never printed.
//
// # Why it is so
//
// 2026-11-20: YAML nodes are decoded by a walk of our own over the struct
// instead of the library's decoder, because an operator should see every fault at
// once with its key path and the allowed values; the library stops at types.
//
// 2026-11-20: the environment is read by the same walk, so that a variable exists
// for every scalar key by construction and none can be forgotten.
package config

//go:generate go run ../test/options/write
