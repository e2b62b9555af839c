-- How many occurrences had become jobs as a version began. A version that does not fire stands for its nominal times in the ledger,
-- unless the template had had all its runs by then.
ALTER TABLE template_versions ADD COLUMN runs bigint;
