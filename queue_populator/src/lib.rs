//! Moves due jobs from PostgreSQL into the Redis ready queues, fairly.
