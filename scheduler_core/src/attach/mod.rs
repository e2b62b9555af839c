//! What every daemon does first and keeps doing, whatever its duties are.
//!
//! It connects as the settings say ([`pool`], [`redis`]), waits for a database that it can work with
//! ([`database_clock`]), and runs its duties side by side ([`Loops`]). Among them are two that all daemons have:
//! [`ClockStep`] keeps the clock, [`RedisWatch`] keeps an eye on Redis. Both say in the health report how it stands,
//! under the names [`DATABASE`] and [`REDIS`]. Hints that only mean "look" come through [`wake_on`].
//!
//! This is the only place where `store`, `queue` and `health` meet; what a daemon does with them is its own.

mod clock_step;
mod connect;
mod database;
mod hints;
mod loops;
mod process;
mod redis_watch;

pub use clock_step::{CLOCK_PERIOD, ClockStep};
pub use connect::{hasty_pool, pool, redis};
pub use database::{DATABASE, database_clock, database_ready, first_readings, show_database, unmeasured_clock};
pub use hints::wake_on;
pub use loops::Loops;
pub use process::{host_name, process_id};
pub use redis_watch::{REDIS, RedisWatch};
