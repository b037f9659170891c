package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// What other WOPI hosts and connectors got wrong, as their issues tell or as they were seen
// to do, and the tests that would fail if we did. A new fault of somebody else gets a line
// here, and a test.
var others = []struct {
	fault string
	tests string // room: Test Test; room: Test
}{
	// What was tried on running ones.
	{"another client writes a file that an editor has locked", "davbackend/localdav: TestInTheWay; test/wire: TestOtherDAVClients"},
	{"the save after that writes over it (nextcloud/server#24820, ONLYOFFICE/onlyoffice-nextcloud#1059)",
		"bridge/saves: TestChangedOutside; test/wire: TestOutsideEditDuringASave; test/binary: TestForeignProgramDuringAnEditing"},
	{"a conflict copy, or 409, at every ordinary save (CollaboraOnline/online#2538)", "test/wire: TestWhatOthersGotWrong; bridge/saves: TestTouchedIsNotChanged"},
	{"404 after a rename of what is open (haiwen/seafile#2702)",
		"test/wire: TestOpenDocumentIsFollowed TestSaveRacesRename; bridge/containers: TestRenamesWhileADocumentIsEdited; bridge/docsapi: TestRenamedWhileOpen"},
	{"a save goes to the place where the file was: a ghost (suitenumerique/drive#421)", "bridge/saves: TestMovedByTheBridge TestFileGoneInALiveEditing TestBehindARename"},
	{"an old X-COOL-WOPI-Timestamp overwrites", "bridge/saves: TestTimestampIsTheBase TestChangedOutside"},
	{"two people get two WOPISrc, or two files one", "test/wire: TestWhatOthersGotWrong TestCoEditors; idmap: TestTreesOfTheirOwn"},
	{"a token opens other files, or is a cookie", "bridge/access: TestTokenIsGoodForOneFileAndOnePerson TestDerivedToken; test/wire: TestWhatOthersGotWrong; test/binary: TestTokensAreForOneFile"},
	{"PUT without a lock (gyselroth/balloon#359)", "bridge/locks: TestTable; bridge/saves: TestLockRule; test/wire: TestWhatOthersGotWrong"},
	{"a slow upload is ended though bytes come", "davbackend: TestProgressLimit; bridge: TestABodyThatComesSlowlyArrives"},
	{"a full disk truncates the document and empties the recovery file",
		"bridge/saves: TestNoRoomInTheStateDirectory TestNoRoomForTheTemp; davbackend/localdav: TestFullDisk"},
	{"an editor that is down ends the program, or stays away (owncloud/ocis#8374)",
		"bridge/discovery: TestEditorThatIsDownComesBackByItself TestEditorThatIsDownDoesNotStopTheOthers TestStaleDocumentServesWhileItIsRevalidated; test/browser: TestAnEditorThatIsDownComesBackByItself"},
	{"500 to an unknown X-WOPI-Override", "test/wire: TestWhatOthersGotWrong; bridge/endpoint: TestStatusesOfWhatIsNotOffered"},

	// What their users complain of.
	{"a lock is stuck after a crash (opencloud-eu/opencloud#1481, #2370)",
		"bridge/locks: TestRestartedBridgeAdoptsRows TestFailedUnlockLeavesTheTokenToTheKeeper TestReleasedByAnAdministrator; test/torture: TestTorture"},
	{"LastModifiedTime is missing, or not what CheckFileInfo says (learnweb/moodle-mod_collabora#10, opencloud-eu/opencloud#1283)",
		"test/wire: TestWhatOthersGotWrong; bridge/saves: TestWaitingSave"},
	{"Unauthorized WOPI host, and no word of what to do (CollaboraOnline/online#7709)", "bridge/doctor: TestThePastedTextHelps"},
	{"an expired token loses work (nextcloud/richdocuments#2170)",
		"bridge/access: TestExpiryDuringAnEditingLosesNoWork; test/wire: TestSignOutAndExpiry; bridge/web: TestTheTokenIsRenewedForTheSameEditorOnly"},
	{"the save failed, and it said Saved (CollaboraOnline/online#6700)", "bridge/saves: TestUpstreamFails TestLandedWithoutAWord; test/browser: TestTheHostPageSaysThatASaveWaits"},
	{"a save after Unlock is refused (owncloud/ocis#4568)", "bridge/locks: TestSaveAfterUnlock; bridge/saves: TestSaveAfterUnlock TestBehindAnUnlock"},
	{"a lock does not follow a rename (nextcloud/files_lock#95)", "bridge/locks: TestRenameWhileLockedTakesTheLockAlong TestLockedFileFoundAtANewPlaceIsLockedThere"},
	{"names in UTF-7, with & or emoji (nextcloud/officeonline#58)", "bridge/wopi: TestUTF7Vectors TestDecodeUTF7; bridge/web: TestHostileNamesAreText"},
	{"proxies, mixed content and frames (nextcloud/richdocuments#2316)", "bridge: TestOnlyTrustedProxiesAreBelieved TestPrefixIsTakenOff; bridge/doctor: TestFramePolicy; bridge/web: TestFrameAncestors"},
	{"proof keys fail behind a proxy or after their rotation (owncloud/ocis#10462)",
		"bridge/proof: TestCheck TestCheckOfWhatWasSigned; bridge/endpoint: TestSignedAddresses; bridge/discovery: TestRotatedKeysAreFetchedAtMostOnceAMinute"},
	{"the document server cannot call back (ONLYOFFICE/Docker-DocumentServer#803)", "bridge/docsapi: TestBothDirectionsAreTried; test/binary: TestDoctorOfTheDocsAPI"},
	{"version has changed, an old document from the cache (ONLYOFFICE/DocumentServer#1716)", "bridge/docsapi: TestAnEditing TestClosedWithoutAChangeTheKeyStays TestAnOutsideChangeBetweenTwoSessionsIsNoConflict"},
	{"two editors have one file (owncloud/ocis#4366)", "bridge/locks: TestOtherEditorIsRefusedEvenWithAnEqualLockID; bridge/docsapi: TestNobodyEditsInTwoEditors"},
	{"can be edited, then cannot be saved (nextcloud/server#62946)", "test/wire: TestMayOnlyRead TestPrivilegesOfAReader; bridge/web: TestAFileThatTheUpstreamKeepsIsOpenedToRead"},
	{"lock files of desktop programs are not seen (ONLYOFFICE/DesktopEditors#349)", "bridge/locks: TestForeignLockFileIsNamedAndOldOnesAreIgnored TestAnnouncement; test/wire: TestDesktopLockFileAppears"},
	{"a version for each look or lock (linagora/twake-drive-legacy#525)", "test/wire: TestWhatOthersGotWrong"},
	{"guests change who they are (nextcloud/richdocuments#5601)", "bridge/access: TestAGuestIsARowPerLinkAndBrowser; test/wire: TestAGuestEdits; bridge/web: TestAPasswordOpensALink"},
	{"new and empty documents (nextcloud/richdocuments#2918)", "test/wire: TestEmptyFiles; bridge/web: TestEmptyDocumentsAreNew TestEmptyOfficeDocuments"},
	{"large files, and limits of time (nextcloud/richdocuments#4806)", "test/binary: TestGibibyte; davbackend: TestProgressLimit"},
	{"why it failed is not said; 423 is a 500 (nextcloud/richdocuments#6063)", "bridge/endpoint: TestRefusals; bridge/locks: TestForeignDAVLockIsNamed; bridge/saves: TestForeignLockThatLasts"},
	{"emptied or cut documents (nextcloud/richdocuments#3289, CollaboraOnline/online#16049)",
		"bridge/saves: TestSpoolRefuses TestCutAtEveryOffset TestZeroBytesAfterAPreimage TestPieceOfAFailedSave TestPieceOfAFallback"},

	// What their code does.
	{"the body is read twice, and the recovery file is empty", "bridge/saves: TestUpstreamFails TestCrashAfterEachStep"},
	{"the Version stays where size and second do", "test/wire: TestWhatOthersGotWrong; idmap: TestNoStringRecurs"},
	{"CheckFileInfo lacks what must be there, or offers what is 501", "test/wire: TestWhatOthersGotWrong; test/conform: TestConform"},
	{"lock IDs are compared as JSON", "bridge/locks: TestLockIDsAreComparedByteByByte"},
	{"PostMessageOrigin is *", "test/wire: TestWhatOthersGotWrong"},
	{"names of conflict copies are unique by the hour", "bridge/saves: TestCopyNames TestCopyNamesEnd"},
	{"callbacks without a token, with foreign addresses, twice", "bridge/docsapi: TestForgedCallbacks TestOnlyTheDocumentServerIsFetched TestRepeatsAndCallbacksThatWereOvertaken"},
	{"a range of a document is given as all of it", "test/wire: TestWhatOthersGotWrong"},
	{"200 before the upstream has said yes", "bridge/saves: TestUpstreamFails TestLostAnswerIsNotWrittenTwice"},
	{"tokens too long for an office", "test/wire: TestWhatOthersGotWrong"},
}

// TestWhatOthersGotWrongHasItsTests: a test that goes takes its line along, or leaves the
// fault to somebody.
func TestWhatOthersGotWrongHasItsTests(t *testing.T) {
	known := map[string]map[string]bool{}
	for _, o := range others {
		for _, part := range strings.Split(o.tests, "; ") {
			room, names, _ := strings.Cut(part, ": ")
			if known[room] == nil {
				known[room] = testsOf(t, room)
			}
			for _, name := range strings.Fields(names) {
				if !known[room][name] {
					t.Errorf("%s: there is no %s in %s", o.fault, name, room)
				}
			}
			if names == "" {
				t.Errorf("%s: no test is named in %q", o.fault, part)
			}
		}
	}
}

// testsOf are the tests in the folder of a room.
func testsOf(t *testing.T, room string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(root, room, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") {
				found[fn.Name.Name] = true
			}
		}
	}
	return found
}
