package access_test

import (
	"fmt"

	"davwopi/bridge/access"
	"davwopi/oauth"
)

// Everybody reads, the staff writes, and nobody but the office sees its folder.
func ExampleRules() {
	rules := access.Rules{
		{Who: []string{"*"}, Path: "/", Rights: access.View},
		{Who: []string{"group:staff"}, Path: "/", Rights: access.Edit},
		{Who: []string{"*"}, Path: "/office", Rights: 0},
		{Who: []string{"anna"}, Path: "/office", Rights: access.Edit},
	}
	anna := oauth.Principal{Issuer: "upstream:main", Subject: "anna", Groups: []string{"staff"}}
	bert := oauth.Principal{Issuer: "upstream:main", Subject: "bert", Groups: []string{"staff"}}
	guest := oauth.Principal{Issuer: "link", Subject: "guest"}
	for _, p := range []oauth.Principal{anna, bert, guest} {
		fmt.Println(p.Subject, rules.Allows(p, "main", "/plan.odt"), rules.Allows(p, "main", "/office/plan.odt"))
	}
	// Output:
	// anna edit edit
	// bert edit none
	// guest view none
}
