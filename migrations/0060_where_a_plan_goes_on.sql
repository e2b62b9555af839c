-- What next_at was as a plan found it. While next_at is still that, no occurrence before it lacks a record, however long ago the
-- last one was recorded: a calendar that is changed then reaches into the past no further than there. When next_at is something
-- else, it only says when to look at the template again (one that cannot be planned is left alone for a while).
ALTER TABLE templates ADD COLUMN found_next_at timestamptz;
