//! REST API of the task scheduler.
