//! Expands templates into occurrences and jobs, ahead of time.
