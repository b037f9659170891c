//go:build !faults

package locks

// leftOut is none in a release, whatever the environment says.
func leftOut() protection { return "" }
