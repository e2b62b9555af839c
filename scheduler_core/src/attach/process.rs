//! How a process names itself in its session.

/// The name of this host, for people to read; `unknown` where the system does not say.
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "unknown".to_owned(),
        name => name.to_owned(),
    }
}

/// The number of this process, as its session's row holds it.
pub fn process_id() -> i32 {
    i32::try_from(std::process::id()).unwrap_or(i32::MAX)
}
