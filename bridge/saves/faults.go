//go:build faults

package saves

import "os"

// leftOut is the protection that the environment says is to be left out: in a program that
// was built to prove that the tests notice.
func leftOut() protection { return protection(os.Getenv("DAVWOPI_TEST_WITHOUT")) }
