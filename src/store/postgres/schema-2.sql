-- Version 2: a notice of a counterpart names a ticket, and finds the exchanges that have it. Only
-- exchanges that were taken by a receipt are in the index. Behind `#` is the item of a batch.
CREATE INDEX exchanges_ticket ON exchanges (split_part(ticket, '#', 1)) WHERE ticket IS NOT NULL;
