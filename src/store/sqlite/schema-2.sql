-- Version 2: the writer keeps open lanes in its memory and adds up the tallies itself. An index
-- over hashed lanes changed another page for every message; triggers ran for every exchange.

DROP TRIGGER exchanges_born_final;
DROP TRIGGER exchanges_end;
DROP TRIGGER exchanges_reopen;
DROP INDEX exchanges_open;

-- Within a counterpart in the order of the rows: what begins is appended, what ends is at the front.
CREATE INDEX exchanges_open ON exchanges (counterpart)
  WHERE state <> 'delivered' AND state <> 'dead' AND state <> 'duplicate' AND state <> 'discarded';
CREATE INDEX exchanges_held ON exchanges (counterpart, lane) WHERE state = 'held';
