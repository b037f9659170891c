package locks

// room is the name under which the state database knows our tables.
const room = "locks"

// migrations are the steps of the tables. Times are BIGINT milliseconds, 0 none.
var migrations = []string{`
-- The lock row: the truth among WOPI clients. No row: unlocked.
CREATE TABLE locks_row (
	file          TEXT {{bytes}} NOT NULL PRIMARY KEY,
	serial        BIGINT NOT NULL,  -- changes with every change; starts anywhere
	phase         BIGINT NOT NULL,  -- 1 taking, 2 held, 3 releasing
	lock_id       TEXT {{bytes}} NOT NULL,
	expires       BIGINT NOT NULL,  -- of the WOPI lock; while releasing: since when
	editing       BIGINT NOT NULL,
	since         BIGINT NOT NULL,
	member        TEXT {{bytes}} NOT NULL,
	editor        TEXT {{bytes}} NOT NULL,
	office        TEXT NOT NULL,
	user_id       TEXT {{bytes}} NOT NULL,
	name          TEXT NOT NULL,
	space         BIGINT NOT NULL,
	upstream      TEXT {{bytes}} NOT NULL,
	pinned        {{blob}} NOT NULL, -- sealed credential of the taker
	path          TEXT {{bytes}} NOT NULL,
	token         TEXT {{bytes}} NOT NULL, -- DAV lock token
	nonce         TEXT {{bytes}} NOT NULL, -- at the end of the DAV lock's owner
	granted_until BIGINT NOT NULL,
	lost          BIGINT NOT NULL,
	holder        TEXT NOT NULL,    -- whose foreign lock stands where ours was
	taking_until  BIGINT NOT NULL,
	announced     TEXT {{bytes}} NOT NULL, -- path of our lock file
	next_at       BIGINT NOT NULL,  -- when the keeper looks again
	tries         BIGINT NOT NULL,
	keeper        TEXT {{bytes}} NOT NULL,
	keeper_until  BIGINT NOT NULL
);
CREATE INDEX locks_row_next ON locks_row (next_at);

CREATE TABLE locks_editing (
	id        {{serial}},
	file      TEXT {{bytes}} NOT NULL,
	editor    TEXT {{bytes}} NOT NULL,
	office    TEXT NOT NULL,
	base      BIGINT NOT NULL,
	delivered BIGINT NOT NULL, -- 1: base was read or written by this editing
	reader    TEXT {{bytes}} NOT NULL, -- the member whose GetFile made the base
	known     BIGINT NOT NULL, -- the file's revision when the editing began
	started   BIGINT NOT NULL,
	expires   BIGINT NOT NULL, -- of its WOPI lock, the last we know
	ended     BIGINT NOT NULL, -- 0 live
	reported  BIGINT NOT NULL,
	diverted  TEXT {{bytes}} NOT NULL
);
CREATE INDEX locks_editing_file ON locks_editing (file, id);

-- The lock IDs that an editing has had.
CREATE TABLE locks_editing_id (
	editing BIGINT NOT NULL,
	lock_id TEXT {{bytes}} NOT NULL,
	at      BIGINT NOT NULL,
	PRIMARY KEY (editing, lock_id)
);
CREATE TABLE locks_member (
	editing BIGINT NOT NULL,
	member  TEXT {{bytes}} NOT NULL,
	at      BIGINT NOT NULL,
	PRIMARY KEY (editing, member)
);

-- What a grant read last, and what an editor has of a file.
CREATE TABLE locks_read (
	file     TEXT {{bytes}} NOT NULL,
	member   TEXT {{bytes}} NOT NULL,
	revision BIGINT NOT NULL,
	at       BIGINT NOT NULL,
	PRIMARY KEY (file, member)
);
CREATE INDEX locks_read_at ON locks_read (at);
CREATE TABLE locks_editor_read (
	file     TEXT {{bytes}} NOT NULL,
	editor   TEXT {{bytes}} NOT NULL,
	revision BIGINT NOT NULL,
	at       BIGINT NOT NULL,
	PRIMARY KEY (file, editor)
);

-- Locks of others that were met lately, for people to look at.
CREATE TABLE locks_foreign (
	file   TEXT {{bytes}} NOT NULL PRIMARY KEY,
	holder TEXT NOT NULL,
	at     BIGINT NOT NULL
);

CREATE TABLE locks_lease (
	file   TEXT {{bytes}} NOT NULL PRIMARY KEY,
	serial BIGINT NOT NULL,
	holder TEXT {{bytes}} NOT NULL, -- '' free
	op     TEXT NOT NULL,
	until  BIGINT NOT NULL
);

CREATE TABLE locks_intent (
	id       {{serial}},
	kind     TEXT {{bytes}} NOT NULL,
	file     TEXT {{bytes}} NOT NULL,
	space    BIGINT NOT NULL,
	upstream TEXT {{bytes}} NOT NULL,
	serial   BIGINT NOT NULL,
	pinned   {{blob}} NOT NULL,
	detail   {{blob}} NOT NULL,
	at       BIGINT NOT NULL,
	next_at  BIGINT NOT NULL,
	tries    BIGINT NOT NULL
);
CREATE INDEX locks_intent_file ON locks_intent (file, id);
CREATE INDEX locks_intent_next ON locks_intent (next_at);
`, `
-- The lock files that we have written, for a while: by these they are known again.
CREATE TABLE locks_announced (
	file  TEXT {{bytes}} NOT NULL,
	nonce TEXT {{bytes}} NOT NULL,
	at    BIGINT NOT NULL,
	PRIMARY KEY (file, nonce)
)`, `
-- The lock files that we have written, or have tried to, each until it is known to
-- be gone. One is live while the held row of its file has its nonce and document.
DROP TABLE locks_announced;
CREATE TABLE locks_announced (
	id       {{serial}},
	file     TEXT {{bytes}} NOT NULL,
	nonce    TEXT {{bytes}} NOT NULL,
	document TEXT {{bytes}} NOT NULL, -- where the file was
	upstream TEXT {{bytes}} NOT NULL,
	pinned   {{blob}} NOT NULL,
	path     TEXT {{bytes}} NOT NULL,
	content  TEXT {{bytes}} NOT NULL, -- what was sent
	at       BIGINT NOT NULL,
	next_at  BIGINT NOT NULL,
	tries    BIGINT NOT NULL,
	UNIQUE (file, nonce, path)
);
CREATE INDEX locks_announced_next ON locks_announced (next_at);
ALTER TABLE locks_row DROP COLUMN announced;
`, `
-- Files of which a save waits in the journal, and the editor that has saved it.
CREATE TABLE locks_waiting (
	file   TEXT {{bytes}} NOT NULL PRIMARY KEY,
	editor TEXT {{bytes}} NOT NULL,
	at     BIGINT NOT NULL
)`, `
-- Where the file is looked for whose lock file was moved along with its folder.
ALTER TABLE locks_announced ADD COLUMN space BIGINT NOT NULL DEFAULT 0;
`, `
-- How long an upload into place may go on, in ms, if the lease is not given back, and
-- until when one of an earlier holder may; 0: none.
ALTER TABLE locks_lease ADD COLUMN linger BIGINT NOT NULL DEFAULT 0;
ALTER TABLE locks_lease ADD COLUMN quiet BIGINT NOT NULL DEFAULT 0;
`, `
-- What is met is told in the reader's language: the name and the program apart, and since when.
DELETE FROM locks_foreign;
ALTER TABLE locks_foreign ADD COLUMN program TEXT NOT NULL DEFAULT '';
ALTER TABLE locks_foreign ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
`}
