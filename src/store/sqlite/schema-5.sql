-- Version 5: a notice of a counterpart names a ticket, and finds the exchanges that have it. Only
-- exchanges that were taken by a receipt are in the index.
CREATE INDEX exchanges_ticket ON exchanges (ticket) WHERE ticket IS NOT NULL;
