//! The binary of the queue populator.

use scheduler_core::daemon::{self, Daemon};
use std::process::ExitCode;

const DAEMON: Daemon = Daemon {
    name: "queue_populator",
    about: "Moves due jobs from PostgreSQL into the Redis ready queues, fairly.",
    admin_port: Some(9102),
};

fn main() -> ExitCode {
    daemon::main(DAEMON, queue_populator::run)
}
