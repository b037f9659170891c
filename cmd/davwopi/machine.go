package main

import (
	"os"

	"davwopi/config"
)

// machine is by what editors' logs tell the bridges of one state apart.
func machine(c *config.Config) string {
	if name, err := os.Hostname(); err == nil && c.Replicas {
		return name
	}
	return brand
}
