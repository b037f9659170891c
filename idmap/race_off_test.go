//go:build !race

package idmap_test

const raced = false
