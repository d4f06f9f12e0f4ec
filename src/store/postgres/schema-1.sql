-- Tables of the PostgreSQL store, version 1. Times are milliseconds since 1970 in UTC.
-- The same tables as the SQLite store; what differs is what several instances need: `head`,
-- `instances`, `writers`, `leaders`, and an owner for each exchange under way.
-- Rows get their ids from `head`, in the order of the commits. There are no foreign keys: every
-- row is written by a transaction that holds `head` and has the other row in its hands, and a check
-- per row is paid while everybody waits.

CREATE TABLE meta (
  name  text PRIMARY KEY,
  value text NOT NULL
);

-- One row. Whoever writes locks it first: all groups of all instances are one after the other, so
-- that the record has no gaps and the order of a lane is the order of the commits.
CREATE TABLE head (
  one      boolean PRIMARY KEY DEFAULT true CHECK (one),
  message  bigint NOT NULL DEFAULT 0, -- last id given
  exchange bigint NOT NULL DEFAULT 0, -- last id given
  outgoing bigint NOT NULL DEFAULT 0, -- last id given
  size     bigint NOT NULL DEFAULT 0, -- entries of the record
  peaks    bytea  NOT NULL DEFAULT '', -- of the tree over them
  epoch    bigint NOT NULL DEFAULT 1, -- raised by a restore
  restored_at bigint,
  restore_window boolean NOT NULL DEFAULT false, -- everything accepted is doubted
  ghosts   boolean NOT NULL DEFAULT false -- there are some
) WITH (fillfactor = 10);
INSERT INTO head DEFAULT VALUES;

-- A running gateway (or a command that writes); without a lease in force it begins nothing.
CREATE TABLE instances (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name        text   NOT NULL,
  started_at  bigint NOT NULL,
  lease_until bigint NOT NULL
) WITH (fillfactor = 50);

-- The last group an instance has committed: tells it after a lost connection what became of one.
CREATE TABLE writers (
  instance bigint PRIMARY KEY,
  groups   bigint NOT NULL
) WITH (fillfactor = 10);

-- Who does what only one instance may do at a time; it counts as long as the instance's lease does.
CREATE TABLE leaders (
  role     text PRIMARY KEY,
  instance bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE messages (
  id             bigint PRIMARY KEY,
  source         text   NOT NULL,
  message_id     text   NOT NULL,
  message_type   text   NOT NULL,
  content_type   text   NOT NULL,
  correlation_id text,
  reply_to       text,
  traceparent    text,
  operator       text,
  municipality   text,
  accepted_at    bigint NOT NULL,
  fingerprint    bytea  NOT NULL,
  commitment     text   NOT NULL,
  UNIQUE (message_id, source)
);

-- Body and salt of its commitment, sealed as one; erased on their own. Sealed bytes do not compress.
CREATE TABLE bodies (
  message     bigint PRIMARY KEY,
  sealed      bytea  NOT NULL,
  erase_after bigint
);
ALTER TABLE bodies ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- `owner` is who has it in its hands: reserved until `reserved_until` while it waits to be sent, and
-- for as long as the owner's lease while it is `sending`. Neither stands in an index, so that
-- reserving changes none.
CREATE TABLE exchanges (
  id              bigint  PRIMARY KEY, -- also the order within a lane
  message         bigint  NOT NULL,
  route           text    NOT NULL,
  counterpart     text    NOT NULL,
  operation       text    NOT NULL,
  lane            bigint  NOT NULL,
  idempotency_key text    NOT NULL,
  subject         text,
  bundle          text    NOT NULL,
  state           text    NOT NULL,
  due             bigint,
  since           bigint  NOT NULL,
  fence           bigint  NOT NULL DEFAULT 0,
  attempts        bigint  NOT NULL DEFAULT 0,
  maybe_applied   boolean NOT NULL DEFAULT false,
  was_unknown     boolean NOT NULL DEFAULT false,
  ticket          text,
  code            text,
  stage           text,
  detail          text,
  supersedes      boolean NOT NULL DEFAULT false,
  replay_of       bigint, -- the delivered exchange that it sends once more
  owner           bigint,
  reserved_until  bigint  NOT NULL DEFAULT 0,
  CHECK (state <> 'dead' OR NOT maybe_applied),
  CHECK (due IS NULL OR state IN ('received', 'waiting-result', 'waiting-retry', 'unknown'))
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE INDEX exchanges_due ON exchanges (counterpart, operation, state, due, id)
  WHERE due IS NOT NULL;
-- Lanes: what goes, and what waits behind it. Both hold open exchanges only.
CREATE INDEX exchanges_active ON exchanges (counterpart, lane)
  WHERE state NOT IN ('delivered', 'dead', 'duplicate', 'discarded', 'held');
CREATE INDEX exchanges_held ON exchanges (counterpart, lane, id) WHERE state = 'held';
-- Routes with `when-stuck: supersede`: a newer state finds the older ones of its lane.
CREATE INDEX exchanges_superseding ON exchanges (counterpart, lane) WHERE supersedes
  AND state NOT IN ('delivered', 'dead', 'duplicate', 'discarded');
CREATE INDEX exchanges_open ON exchanges (counterpart, id)
  WHERE state NOT IN ('delivered', 'dead', 'duplicate', 'discarded');
CREATE INDEX exchanges_sending ON exchanges (id) WHERE state = 'sending';
CREATE INDEX exchanges_dead ON exchanges (id) WHERE state = 'dead';
CREATE INDEX exchanges_message ON exchanges (message);

-- Finished exchanges per route, state and code: counting never scans them.
CREATE TABLE tallies (
  route            text   NOT NULL,
  state            text   NOT NULL,
  code             text   NOT NULL,
  count            bigint NOT NULL,
  retried          bigint NOT NULL,
  unknown_resolved bigint NOT NULL,
  PRIMARY KEY (route, state, code)
) WITH (fillfactor = 50);

CREATE TABLE attempts (
  exchange        bigint NOT NULL,
  number          bigint NOT NULL,
  started_at      bigint NOT NULL,
  request_digest  text   NOT NULL,
  finished_at     bigint,
  outcome         text,
  http_status     bigint,
  response_digest text,
  PRIMARY KEY (exchange, number)
) WITH (fillfactor = 70);

CREATE TABLE outbox (
  id             bigint PRIMARY KEY,
  exchange       bigint NOT NULL,
  message        bigint NOT NULL,
  routing_key    text   NOT NULL,
  message_id     text   NOT NULL,
  message_type   text   NOT NULL,
  correlation_id text,
  content_type   text   NOT NULL,
  sealed         bytea  NOT NULL,
  published_at   bigint
);

CREATE INDEX outbox_pending ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_message ON outbox (message);

-- The record: a Merkle tree (RFC 6962) over its entries.
CREATE TABLE records (
  sequence bigint PRIMARY KEY,
  leaf     bytea NOT NULL,
  entry    text  NOT NULL
);

-- Beginnings of the record that were pruned: the tree over the first `size` entries.
CREATE TABLE prunings (
  size     bigint PRIMARY KEY,
  frontier bytea  NOT NULL,
  at       bigint NOT NULL
);

-- Signed checkpoints (C2SP tlog-checkpoint).
CREATE TABLE checkpoints (
  size bigint PRIMARY KEY,
  root bytea  NOT NULL,
  note text   NOT NULL,
  at   bigint NOT NULL
);

-- Every 65,536 entries, a block: the root of their subtree, and where persons and messages are among
-- them, in parts by the first half byte of a hash. Made in the background, in order.
CREATE TABLE record_blocks (
  number bigint PRIMARY KEY,
  root   bytea NOT NULL
);
CREATE TABLE record_index (
  part   bigint NOT NULL,
  number bigint NOT NULL,
  places bytea  NOT NULL,
  PRIMARY KEY (part, number)
);

CREATE FUNCTION record_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the record is append-only'; END $$;
-- Entries go only with a beginning that was pruned; nothing else is ever changed.
CREATE FUNCTION record_goes_when_pruned() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  IF OLD.sequence > (SELECT coalesce(max(size), 0) FROM prunings) THEN
    RAISE EXCEPTION 'the record is append-only';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER records_are_not_changed BEFORE UPDATE OR TRUNCATE ON records
  FOR EACH STATEMENT EXECUTE FUNCTION record_is_append_only();
CREATE TRIGGER records_are_not_deleted BEFORE DELETE ON records
  FOR EACH ROW EXECUTE FUNCTION record_goes_when_pruned();
CREATE TRIGGER prunings_are_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON prunings
  FOR EACH STATEMENT EXECUTE FUNCTION record_is_append_only();

-- What the record tells of exchanges that a restored store lost; looked up when such a message
-- comes again.
CREATE TABLE ghosts (
  message_id text NOT NULL,
  source     text NOT NULL,
  route      text NOT NULL,
  fate       text NOT NULL, -- sent, applied, discarded
  PRIMARY KEY (message_id, source, route)
);

CREATE TABLE cursors (
  name  text PRIMARY KEY,
  value text NOT NULL
);

-- Definitions as they were read, for what was accepted under them: a list of path and text.
CREATE TABLE bundles (
  digest text PRIMARY KEY,
  files  text   NOT NULL,
  since  bigint NOT NULL
);

-- Replays as tasks, and what each of them takes.
CREATE TABLE tasks (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  request    text   NOT NULL UNIQUE,
  state      text   NOT NULL,
  selection  text   NOT NULL,
  manner     text   NOT NULL,
  operator   text   NOT NULL,
  reason     text   NOT NULL,
  created_at bigint NOT NULL,
  changed_at bigint NOT NULL
);
CREATE INDEX tasks_running ON tasks (id) WHERE state = 'running';

CREATE TABLE task_items (
  task     bigint NOT NULL,
  exchange bigint NOT NULL,
  state    text   NOT NULL,
  made     bigint,
  code     text,
  detail   text,
  PRIMARY KEY (task, exchange)
);
CREATE INDEX task_items_done ON task_items (exchange) WHERE state = 'done';
