//! Claims ready jobs, runs their targets and reports results.
