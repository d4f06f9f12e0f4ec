-- Tables of the SQLite store, version 1; later versions are in the files after this one. Times are milliseconds since 1970 in UTC.
-- `due` is set exactly where an exchange may be claimed, so that the index over it holds only
-- those rows; finished exchanges cost a claim nothing.
-- States are compared one by one: for a longer `IN (…)` SQLite builds a table on every evaluation,
-- which made each write several times as dear.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  source         TEXT NOT NULL,
  message_id     TEXT NOT NULL,
  message_type   TEXT NOT NULL,
  content_type   TEXT NOT NULL,
  correlation_id TEXT,
  reply_to       TEXT,
  traceparent    TEXT,
  operator       TEXT,
  municipality   TEXT,
  accepted_at    INTEGER NOT NULL,
  fingerprint    BLOB NOT NULL,
  commitment     TEXT NOT NULL,
  UNIQUE (message_id, source)
) STRICT;

-- Body and salt of its commitment, sealed as one; erased on their own.
CREATE TABLE bodies (
  message     INTEGER PRIMARY KEY REFERENCES messages (id),
  sealed      BLOB NOT NULL,
  erase_after INTEGER
) STRICT;

CREATE TABLE exchanges (
  id              INTEGER PRIMARY KEY AUTOINCREMENT, -- also the order within a lane
  message         INTEGER NOT NULL REFERENCES messages (id),
  route           TEXT NOT NULL,
  counterpart     TEXT NOT NULL,
  operation       TEXT NOT NULL,
  lane            INTEGER NOT NULL,
  idempotency_key TEXT NOT NULL,
  subject         TEXT,
  bundle          TEXT NOT NULL,
  state           TEXT NOT NULL,
  due             INTEGER,
  since           INTEGER NOT NULL,
  fence           INTEGER NOT NULL DEFAULT 0,
  attempts        INTEGER NOT NULL DEFAULT 0,
  maybe_applied   INTEGER NOT NULL DEFAULT 0,
  was_unknown     INTEGER NOT NULL DEFAULT 0,
  ticket          TEXT,
  code            TEXT,
  stage           TEXT,
  detail          TEXT,
  CHECK (state <> 'dead' OR maybe_applied = 0),
  CHECK (due IS NULL OR state = 'received' OR state = 'waiting-result' OR state = 'waiting-retry'
    OR state = 'unknown')
) STRICT;

CREATE INDEX exchanges_due ON exchanges (counterpart, operation, state, due)
  WHERE due IS NOT NULL;
CREATE INDEX exchanges_open ON exchanges (counterpart, lane)
  WHERE state <> 'delivered' AND state <> 'dead' AND state <> 'duplicate' AND state <> 'discarded';
CREATE INDEX exchanges_dead ON exchanges (state) WHERE state = 'dead';
CREATE INDEX exchanges_message ON exchanges (message);

-- Finished exchanges per route, state and code, kept by triggers: counting never scans them.
CREATE TABLE tallies (
  route            TEXT NOT NULL,
  state            TEXT NOT NULL,
  code             TEXT NOT NULL,
  count            INTEGER NOT NULL,
  retried          INTEGER NOT NULL,
  unknown_resolved INTEGER NOT NULL,
  PRIMARY KEY (route, state, code)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER exchanges_born_final AFTER INSERT ON exchanges
  WHEN NEW.state = 'delivered' OR NEW.state = 'dead' OR NEW.state = 'duplicate'
    OR NEW.state = 'discarded'
BEGIN
  INSERT INTO tallies VALUES (NEW.route, NEW.state, ifnull(NEW.code, ''), 1, 0, 0)
    ON CONFLICT DO UPDATE SET count = count + 1;
END;

CREATE TRIGGER exchanges_end AFTER UPDATE OF state ON exchanges
  WHEN NEW.state = 'delivered' OR NEW.state = 'dead' OR NEW.state = 'duplicate'
    OR NEW.state = 'discarded'
BEGIN
  INSERT INTO tallies VALUES (NEW.route, NEW.state, ifnull(NEW.code, ''), 1,
      max(NEW.attempts - 1, 0), NEW.was_unknown AND NEW.state = 'delivered')
    ON CONFLICT DO UPDATE SET count = count + 1, retried = retried + excluded.retried,
      unknown_resolved = unknown_resolved + excluded.unknown_resolved;
END;

CREATE TRIGGER exchanges_reopen AFTER UPDATE OF state ON exchanges
  WHEN OLD.state = 'delivered' OR OLD.state = 'dead' OR OLD.state = 'duplicate'
    OR OLD.state = 'discarded'
BEGIN
  UPDATE tallies SET count = count - 1, retried = retried - max(OLD.attempts - 1, 0),
      unknown_resolved = unknown_resolved - (OLD.was_unknown AND OLD.state = 'delivered')
    WHERE route = OLD.route AND state = OLD.state AND code = ifnull(OLD.code, '');
END;

CREATE TABLE attempts (
  exchange        INTEGER NOT NULL REFERENCES exchanges (id),
  number          INTEGER NOT NULL,
  started_at      INTEGER NOT NULL,
  request_digest  TEXT NOT NULL,
  finished_at     INTEGER,
  outcome         TEXT,
  http_status     INTEGER,
  response_digest TEXT,
  PRIMARY KEY (exchange, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  exchange       INTEGER NOT NULL REFERENCES exchanges (id),
  message        INTEGER NOT NULL REFERENCES messages (id),
  routing_key    TEXT NOT NULL,
  message_id     TEXT NOT NULL,
  message_type   TEXT NOT NULL,
  correlation_id TEXT,
  content_type   TEXT NOT NULL,
  sealed         BLOB NOT NULL,
  published_at   INTEGER
) STRICT;

CREATE INDEX outbox_pending ON outbox (published_at) WHERE published_at IS NULL;
CREATE INDEX outbox_message ON outbox (message);

CREATE TABLE records (
  sequence INTEGER PRIMARY KEY,
  entry    TEXT NOT NULL,
  leaf     TEXT NOT NULL,
  link     TEXT NOT NULL
) STRICT;

CREATE TRIGGER records_are_not_changed BEFORE UPDATE ON records
BEGIN SELECT raise(ABORT, 'the record is append-only'); END;
CREATE TRIGGER records_are_not_deleted BEFORE DELETE ON records
BEGIN SELECT raise(ABORT, 'the record is append-only'); END;

CREATE TABLE cursors (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
