package proof_test

import (
	"fmt"
	"time"

	"davwopi/bridge/proof"
)

func ExampleKeys_Check() {
	current, err := proof.ParseKey(vectorModulus, "AQAB", vectorValue)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := proof.Request{
		Token:     vectorToken,
		URL:       vectorURL,
		TimeStamp: "639200000000000000",
		Proof:     vectorProof,
	}
	keys := proof.Keys{Current: current}
	fmt.Println(keys.Check(r, time.Date(2026, 7, 18, 19, 40, 0, 0, time.UTC)))
	fmt.Println(keys.Check(r, time.Date(2026, 7, 18, 20, 0, 0, 0, time.UTC)))
	// Output:
	// false <nil>
	// false proof: timestamp too old or in the future
}
