package profile

import "time"

// Facts are what measuring an upstream has shown. They are stored, shown by doctor,
// and turned into the [davbackend.Profile] that saves and locks work by
// ([Facts.Profile]). The words of a field are those that its comment lists; "" is
// for what could not be found out.
type Facts struct {
	At       time.Time `json:"at"`                 // when it was measured
	Server   string    `json:"server"`             // Server header, cut after 100 bytes
	Classes  string    `json:"classes"`            // DAV header, without URLs
	Kind     string    `json:"kind"`               // the server that it proved to be: "apache", "nginx", ...; "" none that is known
	ReadOnly bool      `json:"read_only"`          // nothing may be written: only what reading shows is known
	Requests int       `json:"requests,omitempty"` // that the measuring took

	ETag           string `json:"etag"`             // in PROPFIND: "strong", "weak at first" (and strong some seconds later), "weak", "unquoted", "none"
	ETagOfPut      string `json:"etag_of_put"`      // in the answer to PUT, against PROPFIND's: "same", "another", "none"
	ETagOfGet      string `json:"etag_of_get"`      // in the answer to GET: "same", "another", "none"
	SameSecondEdit bool   `json:"same_second_edit"` // an edit of equal length within a second gives another ETag
	ETagAfterMove  string `json:"etag_after_move"`  // "kept", "another", "none"
	ETagAfterCopy  string `json:"etag_after_copy"`  // "kept", "another", "none"

	IfMatch     string `json:"if_match"`      // on PUT: "honoured", "ignored", "never holds" (even when it should)
	IfNoneMatch string `json:"if_none_match"` // * on PUT: "honoured", "ignored"
	IfETag      string `json:"if_etag"`       // an ETag in If on PUT: "honoured", "ignored", "never holds"
	OverwriteF  string `json:"overwrite_f"`   // on MOVE: "honoured", "ignored"

	Lock           string `json:"lock"`             // "works", "none", "protects nothing" (a PUT without the token succeeds)
	LockGranted    int64  `json:"lock_granted"`     // seconds, of 1800 asked for; 0: not said, or without end
	LockShown      string `json:"lock_shown"`       // in lockdiscovery: "token and owner", "token", "nothing"
	TokenUntagged  bool   `json:"token_untagged"`   // PUT with If: (<token>) works
	TokenTagged    bool   `json:"token_tagged"`     // PUT with If: <URL> (<token>) works, for a name with a space
	TokenHeader    bool   `json:"token_header"`     // PUT with Lock-Token: <token> works
	MoveOntoLocked string `json:"move_onto_locked"` // MOVE of a temporary file onto the locked one: "keeps the lock", "drops the lock", "refused"
	MoveOfLocked   string `json:"move_of_locked"`   // "carries the lock", "drops the lock", "refused"

	DeadProps       string `json:"dead_props"`        // "stored", "stored, as an edit" (ETag or time is another then), "refused", "pretended" (success, and nothing is there)
	PropsCopied     bool   `json:"props_copied"`      // COPY duplicates dead properties
	PropsWithFolder bool   `json:"props_with_folder"` // children keep theirs when their folder is moved
	PropsMovedOver  string `json:"props_moved_over"`  // MOVE of a new file onto one that has them: "kept", "lost"

	Privileges string `json:"privileges"`           // current-user-privilege-set: "none", "right", "wrong" (it denies what was just done)
	NoWriting  bool   `json:"no_writing,omitempty"` // of ReadOnly: OPTIONS says itself that nothing can be written

	NativeID   string `json:"native_id"`   // "oc:id", "oc:fileid", "none"
	ResourceID bool   `json:"resource_id"` // DAV:resource-id is answered
	Chunks     bool   `json:"chunks"`      // files can be uploaded in pieces (Nextcloud)
	Quota      bool   `json:"quota"`       // quota-available-bytes says how much is left
	FolderETag string `json:"folder_etag"` // of a collection, changes with: "none", "own children", "whole tree" (also with a rename deep below)

	HalfWritten   string `json:"half_written"`   // what a reader sees while a PUT over a file is under way: "old contents", "a piece", "refused"
	GzipGet       bool   `json:"gzip_get"`       // GET is compressed even for who asks for identity
	PropfindSlash int    `json:"propfind_slash"` // status of PROPFIND of a collection without the slash; 0: answered
	MoveSlash     int    `json:"move_slash"`     // status of MOVE of a collection without the slash; 0: done
	DepthInfinity string `json:"depth_infinity"` // "answered", "cut to 1", "refused"
	HidesDotfiles bool   `json:"hides_dotfiles"` // names that begin with a dot are not listed
	NFDIsNFC      bool   `json:"nfd_is_nfc"`     // both Unicode forms of a name are one file
	CaseIsSame    bool   `json:"case_is_same"`   // upper and lower case are one file
	LongestName   int    `json:"longest_name"`   // bytes of the longest name of those tried (255, 250, 200, 143) that is taken; 0: none of them
}
