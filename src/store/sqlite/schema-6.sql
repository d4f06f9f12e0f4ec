-- Version 6: approvals, and demands that a person must answer.

-- One per exchange that needs a second person. While it is `asked`, the exchange is
-- `waiting-approval` and in no lane; `demand` is the one it answers.
CREATE TABLE approvals (
  exchange   INTEGER PRIMARY KEY,
  state      TEXT NOT NULL, -- asked, approved, rejected, expired
  preparer   TEXT NOT NULL,
  within     INTEGER NOT NULL,
  asked_at   INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  demand     INTEGER,
  decided_by TEXT,
  reason     TEXT,
  decided_at INTEGER,
  digest     TEXT
) STRICT;
CREATE INDEX approvals_asked ON approvals (expires_at) WHERE state = 'asked';

-- What counterparts ask for. Whether one is open follows from its answer's exchange.
CREATE TABLE demands (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  kind        TEXT NOT NULL,
  counterpart TEXT NOT NULL,
  number      TEXT NOT NULL,
  item        TEXT NOT NULL,
  exchange    INTEGER NOT NULL,
  opened_at   INTEGER NOT NULL,
  due         INTEGER,
  answer      INTEGER,
  closed_at   INTEGER,
  UNIQUE (counterpart, kind, number)
) STRICT;
