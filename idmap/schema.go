package idmap

// migrations are the steps of the room "idmap" for sqldb.
//
// Times are milliseconds, 0 never. native_id, resource_id and stamp are NULL if
// unknown. A resource's row is the file itself; home is the space where it was
// first seen, the only one in which its resource_id means anything. A place with
// parent 0 is the root of a space. waiting is 0 for the resource that owns the
// name; one that had to give way has its own num there, so that the name is free
// for another. seen is 0 where nobody has looked since a backup was restored.
var migrations = []string{
	`CREATE TABLE idmap_upstream (
		num {{serial}},
		name TEXT {{bytes}} NOT NULL UNIQUE
	);
	CREATE TABLE idmap_space (
		num {{serial}},
		upstream BIGINT NOT NULL REFERENCES idmap_upstream (num),
		root TEXT {{bytes}} NOT NULL,
		UNIQUE (upstream, root)
	);
	CREATE TABLE idmap_epoch (
		num {{serial}},
		nonce TEXT {{bytes}} NOT NULL,
		began BIGINT NOT NULL
	);
	CREATE TABLE idmap_resource (
		num {{serial}},
		id TEXT {{bytes}} NOT NULL UNIQUE,
		upstream BIGINT NOT NULL REFERENCES idmap_upstream (num),
		home BIGINT NOT NULL REFERENCES idmap_space (num),
		kind BIGINT NOT NULL,
		died BIGINT NOT NULL,
		native_id TEXT {{bytes}},
		resource_id TEXT {{bytes}},
		stamp TEXT {{bytes}},
		stamp_serial BIGINT NOT NULL DEFAULT 0,
		epoch BIGINT NOT NULL,
		revision BIGINT NOT NULL,
		version TEXT {{bytes}} NOT NULL,
		last_modified TEXT {{bytes}} NOT NULL,
		top BIGINT NOT NULL,
		floor BIGINT NOT NULL,
		etag TEXT {{bytes}} NOT NULL,
		size BIGINT NOT NULL,
		mtime BIGINT NOT NULL,
		sha256 {{blob}}
	);
	CREATE INDEX idmap_resource_native ON idmap_resource (native_id, upstream) WHERE native_id IS NOT NULL;
	CREATE INDEX idmap_resource_resource ON idmap_resource (resource_id, home) WHERE resource_id IS NOT NULL;
	CREATE TABLE idmap_place (
		parent BIGINT NOT NULL,
		space BIGINT NOT NULL REFERENCES idmap_space (num),
		name TEXT {{bytes}} NOT NULL,
		waiting BIGINT NOT NULL,
		resource BIGINT NOT NULL REFERENCES idmap_resource (num),
		missing BIGINT NOT NULL,
		seen BIGINT NOT NULL,
		PRIMARY KEY (parent, space, name, waiting),
		UNIQUE (resource, space)
	);
	CREATE INDEX idmap_place_missing ON idmap_place (missing) WHERE missing > 0;
	CREATE TABLE idmap_revision (
		resource BIGINT NOT NULL REFERENCES idmap_resource (num),
		number BIGINT NOT NULL,
		version TEXT {{bytes}} NOT NULL,
		last_modified TEXT {{bytes}} NOT NULL,
		etag TEXT {{bytes}} NOT NULL,
		size BIGINT NOT NULL,
		mtime BIGINT NOT NULL,
		sha256 {{blob}},
		PRIMARY KEY (resource, number)
	)`, `
	-- Containers that we have moved ourselves, for a while.
	CREATE TABLE idmap_moved (
		num {{serial}},
		space BIGINT NOT NULL REFERENCES idmap_space (num),
		source TEXT {{bytes}} NOT NULL,
		target TEXT {{bytes}} NOT NULL,
		at BIGINT NOT NULL
	);
	CREATE INDEX idmap_moved_space ON idmap_moved (space, num)`, `
	-- Files that are known by their fingerprints only.
	CREATE INDEX idmap_resource_print ON idmap_resource (size, mtime) WHERE native_id IS NULL AND resource_id IS NULL AND kind = 1`, `
	CREATE INDEX idmap_resource_stamp ON idmap_resource (stamp) WHERE stamp IS NOT NULL`, `
	-- What the disk knows a file by, where it is mounted here. Means something in home only.
	ALTER TABLE idmap_resource ADD COLUMN inode TEXT {{bytes}};
	CREATE INDEX idmap_resource_inode ON idmap_resource (inode, home) WHERE inode IS NOT NULL`,
}
