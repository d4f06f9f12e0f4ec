-- Version 3.

-- Routes with `when-stuck: supersede`. Only their open exchanges are in the index: the others cost
-- nothing, and a newer state finds the older ones of its lane without looking at the rest.
ALTER TABLE exchanges ADD COLUMN supersedes INTEGER NOT NULL DEFAULT 0;
CREATE INDEX exchanges_superseding ON exchanges (counterpart, lane) WHERE supersedes = 1
  AND state <> 'delivered' AND state <> 'dead' AND state <> 'duplicate' AND state <> 'discarded';
