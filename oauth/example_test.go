package oauth_test

import (
	"fmt"

	"davwopi/oauth"
)

// The same name at two issuers is two people; a new display name is the same person.
func ExamplePrincipal() {
	anna := oauth.Principal{Issuer: "upstream:main", Subject: "anna", Name: "Anna"}
	married := oauth.Principal{Issuer: "upstream:main", Subject: "anna", Name: "Anna B."}
	invited := oauth.Principal{Issuer: oauth.IssuerLink, Subject: "anna", Name: "Anna"}
	fmt.Println(anna.UserID())
	fmt.Println(anna.Key() == married.Key(), anna.Key() == invited.Key())
	// Output:
	// uygv5q4p57re6easjrmf2gjbztm
	// true false
}

// What was sealed for one row does not open in another, and printing shows nothing.
func ExampleSealer() {
	sealer, err := oauth.NewSealer([]byte("32 bytes that nobody else knows."))
	if err != nil {
		fmt.Println(err)
		return
	}
	sealed, err := sealer.Seal(oauth.RowKey("lock", "17"), []byte("a password"))
	if err != nil {
		fmt.Println(err)
		return
	}
	plain, err := sealer.Open(oauth.RowKey("lock", "17"), sealed)
	fmt.Println(string(plain), err)
	_, err = sealer.Open(oauth.RowKey("lock", "18"), sealed)
	fmt.Println(err)
	fmt.Printf("%+v\n", sealer)
	// Output:
	// a password <nil>
	// oauth: cannot unseal: changed, or of another row
	// oauth.Sealer{hidden}
}
