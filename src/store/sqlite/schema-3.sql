-- Version 3. Sections, one per concern.

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
