-- Version 3: approvals, and demands that a person must answer.

-- One per exchange that needs a second person. While it is `asked`, the exchange is
-- `waiting-approval` and in no lane; `demand` is the one it answers.
CREATE TABLE approvals (
  exchange   bigint PRIMARY KEY,
  state      text   NOT NULL, -- asked, approved, rejected, expired
  preparer   text   NOT NULL,
  within     bigint NOT NULL,
  asked_at   bigint NOT NULL,
  expires_at bigint NOT NULL,
  demand     bigint,
  decided_by text,
  reason     text,
  decided_at bigint,
  digest     text
);
CREATE INDEX approvals_asked ON approvals (expires_at) WHERE state = 'asked';

-- What counterparts ask for. Whether one is open follows from its answer's exchange.
CREATE TABLE demands (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind        text   NOT NULL,
  counterpart text   NOT NULL,
  number      text   NOT NULL,
  item        text   NOT NULL,
  exchange    bigint NOT NULL,
  opened_at   bigint NOT NULL,
  due         bigint,
  answer      bigint,
  closed_at   bigint,
  UNIQUE (counterpart, kind, number)
);
