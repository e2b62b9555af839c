//! The binary of the failure watcher.

use scheduler_core::daemon::{self, Daemon};
use std::process::ExitCode;

const DAEMON: Daemon = Daemon {
    name: "task_failure_watcher",
    about: "Takes back lost work, decides about retries and dead letters, sends alerts, keeps house.",
    admin_port: Some(9104),
};

fn main() -> ExitCode {
    daemon::main(DAEMON, task_failure_watcher::run)
}
