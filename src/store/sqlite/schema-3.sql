-- Version 3.

-- The record is a Merkle tree (RFC 6962); the links of the chain go. The leaf stands before the
-- entry, so that reading leaves alone need not pass over entries. What the chain's last link was is
-- kept, and becomes an entry of the record.
CREATE TABLE tree_records (
  sequence INTEGER PRIMARY KEY,
  leaf     BLOB NOT NULL,
  entry    TEXT NOT NULL
) STRICT;
INSERT INTO tree_records SELECT sequence, unhex(leaf), entry FROM records ORDER BY sequence;
INSERT INTO meta SELECT 'chain', sequence || ', link ' || link FROM records
  ORDER BY sequence DESC LIMIT 1;
DROP TABLE records;
ALTER TABLE tree_records RENAME TO records;

-- Beginnings of the record that were pruned: the tree over the first `size` entries.
CREATE TABLE prunings (
  size     INTEGER PRIMARY KEY,
  frontier BLOB NOT NULL,
  at       INTEGER NOT NULL
) STRICT;

CREATE TRIGGER records_are_not_changed BEFORE UPDATE ON records
BEGIN SELECT raise(ABORT, 'the record is append-only'); END;
CREATE TRIGGER records_are_not_deleted BEFORE DELETE ON records
  WHEN OLD.sequence > (SELECT ifnull(max(size), 0) FROM prunings)
BEGIN SELECT raise(ABORT, 'the record is append-only'); END;
CREATE TRIGGER prunings_are_not_changed BEFORE UPDATE ON prunings
BEGIN SELECT raise(ABORT, 'the record is append-only'); END;
CREATE TRIGGER prunings_are_not_deleted BEFORE DELETE ON prunings
BEGIN SELECT raise(ABORT, 'the record is append-only'); END;

-- Signed checkpoints (C2SP tlog-checkpoint).
CREATE TABLE checkpoints (
  size INTEGER PRIMARY KEY,
  root BLOB NOT NULL,
  note TEXT NOT NULL,
  at   INTEGER NOT NULL
) STRICT;

-- Every 65,536 entries, a block: the root of their subtree, and where persons and messages are among
-- them, in parts by the first half byte of a hash. `id` of a part: part * 2^32 + number of the block.
-- Made in the background, in order: no index over random keys changes with every message.
CREATE TABLE record_blocks (
  number INTEGER PRIMARY KEY,
  root   BLOB NOT NULL
) STRICT;
CREATE TABLE record_index (
  id     INTEGER PRIMARY KEY,
  places BLOB NOT NULL
) STRICT;

-- Definitions as they were read, for what was accepted under them: a list of path and text.
CREATE TABLE bundles (
  digest TEXT PRIMARY KEY,
  files  TEXT NOT NULL,
  since  INTEGER NOT NULL
) STRICT;

-- A delivered exchange that is sent once more has a second row, which names the first.
ALTER TABLE exchanges ADD COLUMN replay_of INTEGER;

-- Replays as tasks, and what each of them takes.
CREATE TABLE tasks (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  request    TEXT NOT NULL UNIQUE,
  state      TEXT NOT NULL,
  selection  TEXT NOT NULL,
  manner     TEXT NOT NULL,
  operator   TEXT NOT NULL,
  reason     TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tasks_running ON tasks (id) WHERE state = 'running';

CREATE TABLE task_items (
  task     INTEGER NOT NULL REFERENCES tasks (id),
  exchange INTEGER NOT NULL,
  state    TEXT NOT NULL,
  made     INTEGER,
  code     TEXT,
  detail   TEXT,
  PRIMARY KEY (task, exchange)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_items_done ON task_items (exchange) WHERE state = 'done';

-- Routes with `when-stuck: supersede`. Only their open exchanges are in the index: the others cost
-- nothing, and a newer state finds the older ones of its lane without looking at the rest.
ALTER TABLE exchanges ADD COLUMN supersedes INTEGER NOT NULL DEFAULT 0;
CREATE INDEX exchanges_superseding ON exchanges (counterpart, lane) WHERE supersedes = 1
  AND state <> 'delivered' AND state <> 'dead' AND state <> 'duplicate' AND state <> 'discarded';

-- Epochs: a restore begins a new one. What the record tells of exchanges that the store lost with
-- what is newer than its backup; looked up when such a message comes again.
INSERT INTO meta (name, value) VALUES ('epoch', '1');
CREATE TABLE ghosts (
  message_id TEXT NOT NULL,
  source     TEXT NOT NULL,
  route      TEXT NOT NULL,
  fate       TEXT NOT NULL, -- sent, applied, discarded
  PRIMARY KEY (message_id, source, route)
) STRICT, WITHOUT ROWID;
