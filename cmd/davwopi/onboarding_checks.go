package main

import (
	"fmt"
	"slices"

	"davwopi/config"
)

// tenChecks are those that Microsoft wants done by hand ("Microsoft 365 for mobile: manual validation"), with what people
// see of davwopi in each, and what was tried of it.
func tenChecks(c *config.Config, tried map[string]trial) []manualCheck {
	list := []manualCheck{
		{Number: 1, Title: "Open from your app: first install", Shows: openFromHere(c),
			ByHand: "If you have an app: it offers Office once for each type of file, and the store where Office is missing. Then: Office asks to sign in, the file opens to read, and after signing in to Microsoft to edit. The place is in the list afterwards.",
			Tried:  trials(tried, "challenge without a token", "request for sign-in", "code for a token", "bootstrap")},
		{Number: 2, Title: "Open from Office: fresh install", Shows: "Under Add a Place: the name and icon that you hand in. Then davwopi's page for sign-in, \"" + clientName(c) + " wants to come in\", and the folders of " + c.PublicURL.Hostname() + ".",
			ByHand: "Add the place, browse, open a file, change it, go back and open it again: the change is there.",
			Tried:  trials(tried, "icons", "request for sign-in", "redirect URI of somebody else", "wrong secret", "code for a token", "bootstrap", "root folder", "browsing")},
		{Number: 3, Title: "Open from your app: again", Shows: "Nothing is asked: Office has a token, and gets another one for the file.",
			ByHand: "As 1, with the place there already.", Tried: trials(tried, "another WOPI token", "refresh token")},
		{Number: 4, Title: "Open from Office: again", Shows: "Nothing is asked.",
			ByHand: "As 2, with the place there already.", Tried: trials(tried, "refresh token", "browsing")},
		{Number: 5, Title: "Save as, duplicate", Shows: "The copy is beside the document, or in the folder that was chosen, in the list of files at once.",
			ByHand: "Duplicate a file to this place, once by adding it and once with it there.", Tried: trials(tried, "root folder", "new files in the root folder")},
		{Number: 6, Title: "Create new", Shows: "The new document is in the folder that was chosen.",
			ByHand: "Make a new document in this place, once by adding it and once with it there.", Tried: trials(tried, "root folder", "new files in the root folder")},
		{Number: 7, Title: "Licence", Shows: licence(c),
			ByHand: "Reset the app and delete its credentials first. A business user without a subscription can only read.", Tried: trials(tried, "licence")},
		{Number: 8, Title: "Page for sign-in", Shows: "A page that fits from 320 pixels, with a link to " + privacy(c) + ". " + loginPage(c),
			ByHand: "Look at it on each kind of device, upright and across.", Tried: trials(tried, "page for sign-in", "link to the privacy statement")},
		{Number: 9, Title: "Properties of a file", Shows: "Name, size and time of change. Author, Created, Modified By and Company stay empty: WOPI does not carry them.",
			ByHand: "Look at the properties from Recent and from an open file.", Tried: nil},
		{Number: 10, Title: "Change of password", Shows: afterChange(c),
			ByHand: "Change the password, go back to Office, open another file: it asks to sign in.", Tried: trials(tried, "end of a sign-in", "challenge without a token")},
	}
	return list
}

// trials are those of a check, in its order; none where nothing was tried.
func trials(tried map[string]trial, names ...string) (list []trial) {
	for _, name := range names {
		if t, ok := tried[name]; ok {
			list = append(list, t)
		}
	}
	return list
}

func clientName(c *config.Config) string {
	if len(c.OAuth.Clients) > 0 && c.OAuth.Clients[0].Name != "" {
		return c.OAuth.Clients[0].Name
	}
	return "Microsoft Office"
}

func openFromHere(c *config.Config) string {
	if c.OAuth.ProviderID == "" || bootstrapFault(c) != "" {
		return "Without oauth.provider_id and https there are no links \"Open in Word\"."
	}
	return fmt.Sprintf("In the list of files and on a document's page, on a phone: \"Open in Word\" (Excel, PowerPoint): ms-word:ofe|u|%s|d|%s|e|USER|n|NAME.docx|a|Web",
		c.PublicURL.JoinPath("wopi", "files", "ID"), c.OAuth.ProviderID)
}

func licence(c *config.Config) string {
	if c.WOPI.BusinessUsers {
		return "LicenseCheckForEditIsEnabled is true everywhere (wopi.business_users): Office checks the subscription."
	}
	return "LicenseCheckForEditIsEnabled is false (wopi.business_users): people count as consumers. If yours are a company's, set it to true."
}

func privacy(c *config.Config) string {
	if c.PrivacyURL.URL == nil {
		return "nothing yet (privacy_url)"
	}
	return c.PrivacyURL.String()
}

func loginPage(c *config.Config) string {
	switch {
	case c.OAuth.Mode == "direct":
		return "In direct mode the whole page is your provider's: the link has to be there."
	case c.SignIn.Kind == "oidc" || c.SignIn.Kind == "proxy":
		return "Before it comes the page of " + map[string]string{"oidc": "your provider", "proxy": "your reverse proxy"}[c.SignIn.Kind] + ", which should have the link, too."
	}
	return ""
}

// afterChange is what becomes of a phone when a password changes.
func afterChange(c *config.Config) string {
	const now = " davwopi signout NAME ends it at once."
	switch {
	case c.OAuth.Mode == "direct":
		return "What your provider revokes is refused at once where it is asked (introspection), else when the token ends."
	case c.SignIn.Kind == "upstream" && !ownPasswords(c):
		return "davwopi does not hear of it: with auth: service one account reads the server for everybody." + now
	case c.SignIn.Kind == "upstream":
		return "The WebDAV server refuses the old password: the next request that needs it is answered 401, and Office asks to sign in." + now
	case c.SignIn.Kind == "oidc":
		return "Your provider is asked at most every ten minutes, with its refresh token (offline_access in sign_in.oidc.scopes): if it gives none any more, Office has to sign in." + now
	case c.SignIn.Kind == "proxy":
		return "davwopi does not hear of it: the proxy has the passwords." + now
	}
	return "There are no passwords here." + now
}

// ownPasswords reports whether the upstream at which people sign in is read with their own passwords.
func ownPasswords(c *config.Config) bool {
	return slices.ContainsFunc(c.Upstreams, func(u config.Upstream) bool {
		return u.Auth == "user" && (c.SignIn.Upstream == "" || u.Name == c.SignIn.Upstream)
	})
}
