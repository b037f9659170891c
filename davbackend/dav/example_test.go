package dav_test

import (
	"fmt"
	"net/url"
	"strings"

	"davwopi/davbackend/dav"
)

func ExampleParseHref() {
	base, _ := url.Parse("https://nas.example/remote.php/dav/")
	for _, href := range []string{
		"/remote.php/dav/Caf%C3%A9/menu%20%231.odt",
		"http://10.0.0.7/remote.php/dav/Caf%c3%a9/menu%20%231.odt",
		"/elsewhere/x",
	} {
		p, err := dav.ParseHref(href, base)
		fmt.Println(p, err)
	}
	// Output:
	// /Café/menu #1.odt <nil>
	// /Café/menu #1.odt <nil>
	//  dav: bad path: href is not below the configured URL
}

func ExampleIf_String() {
	fmt.Println(dav.If{{
		Tag: "https://nas.example/dav/a.odt",
		Conditions: []dav.Condition{
			{Token: "urn:uuid:150852e2-3847-42d5-8cbe-0f4f296f26cf"},
			{ETag: `"5d-1"`},
		},
	}})
	// Output: <https://nas.example/dav/a.odt> (<urn:uuid:150852e2-3847-42d5-8cbe-0f4f296f26cf> ["5d-1"])
}

func ExampleDecodeMultistatus() {
	body := `<d:multistatus xmlns:d="DAV:"><d:response><d:href>/a%20b.odt</d:href>
		<d:propstat><d:prop><d:getcontentlength>7</d:getcontentlength></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>
		<d:propstat><d:prop><d:getetag/></d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat>
		</d:response></d:multistatus>`
	err := dav.DecodeMultistatus(strings.NewReader(body), dav.Limits{}, func(r dav.Response) error {
		res, err := r.Resource(nil)
		fmt.Printf("%s %d %q\n", res.Path, res.Size, res.ETag)
		return err
	})
	fmt.Println(err)
	// Output:
	// /a b.odt 7 ""
	// <nil>
}
