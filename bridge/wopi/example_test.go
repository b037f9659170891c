package wopi_test

import (
	"fmt"
	"net/http"

	"davwopi/bridge/wopi"
)

func ExampleReadOperation() {
	h := http.Header{}
	h.Set(wopi.HeaderOverride, wopi.OverrideLock)
	fmt.Println(wopi.ReadOperation("POST", "", h))
	h.Set(wopi.HeaderOldLock, "A")
	fmt.Println(wopi.ReadOperation("POST", "", h))
	// Output:
	// Lock
	// UnlockAndRelock
}

func ExampleDecodeUTF7() {
	fmt.Println(wopi.DecodeUTF7("Gr+APYA3w-e.docx"))
	_, err := wopi.DecodeUTF7("Gr+AP")
	fmt.Println(err)
	// Output:
	// Größe.docx <nil>
	// wopi: malformed: UTF-7 ends in the middle of a character
}

func ExampleSuggestedName() {
	name := wopi.SuggestedName(".docx", "minutes.doc")
	fmt.Println(name)
	fmt.Println(wopi.NumberedName(name, 1))
	// Output:
	// minutes.docx
	// minutes (1).docx
}
