//go:build race

package idmap_test

// raced: SQLite in Go runs twenty times slower under the race detector.
const raced = true
