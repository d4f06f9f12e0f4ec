-- Version 4: ids are found without an index over them, whose random keys changed another page for
-- every message. The newest ones are in the writer's memory, the others in blocks (`ids/mod.rs`).

-- A block: rows of messages it knows of, and their ids' hashes, sorted, in 256 parts by their first
-- byte. `id` of a part: number of the block * 256 + first byte.
CREATE TABLE id_blocks (
  number INTEGER PRIMARY KEY,
  first  INTEGER NOT NULL,
  last   INTEGER NOT NULL
) STRICT;
CREATE TABLE id_parts (
  id  INTEGER PRIMARY KEY,
  ids BLOB NOT NULL
) STRICT;
-- Messages that were given another id after they were accepted.
CREATE TABLE ids_changed (
  message INTEGER PRIMARY KEY
) STRICT;

-- What is there already stays in the index that it is in, until the background has put it into
-- blocks: the index of the constraint becomes one of the rows up to the last, and takes no others.
-- Nothing is built anew; the pages are the same.
INSERT INTO meta (name, value) SELECT 'ids-indexed', ifnull(max(id), 0) FROM messages;
INSERT INTO meta (name, value) VALUES ('ids-caught', '0');
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET name = 'messages_before',
    sql = 'CREATE INDEX messages_before ON messages (message_id, source) WHERE id <= '
      || (SELECT value FROM meta WHERE name = 'ids-indexed')
  WHERE name = 'sqlite_autoindex_messages_1';
UPDATE sqlite_schema SET sql = replace(sql, ',
  UNIQUE (message_id, source)', '') WHERE type = 'table' AND name = 'messages';
PRAGMA writable_schema = RESET;
