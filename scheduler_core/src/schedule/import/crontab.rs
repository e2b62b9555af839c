//! crontab files, of users and of the system (`/etc/crontab`, with a user before the command).

use serde_json::json;

use super::{Draft, Import, cron};

/// Reads a crontab. `zone` is the one that the machine is set to; `with_user` says that each line names a user.
pub fn crontab(text: &str, zone: &str, with_user: bool) -> Import {
    let mut import = Import::default();
    let mut zone = zone.to_owned();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match assignment(line) {
            Some(("CRON_TZ" | "TZ", value)) => value.clone_into(&mut zone),
            // MAILTO, PATH, SHELL: about the command, not about its times.
            Some(_) => {}
            None => entry(line, number, &zone, with_user, &mut import),
        }
    }
    import
}

/// `NAME=value`, with blanks and quotes where cron allows them.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !name.is_empty();
    (is_name && !name.starts_with(|char: char| char.is_ascii_digit()))
        .then(|| (name, value.trim().trim_matches(['"', '\''])))
}

fn entry(line: &str, number: usize, zone: &str, with_user: bool, import: &mut Import) {
    let place = format!("line {number}");
    let fields = if line.starts_with('@') { 1 } else { 5 };
    let Some((expression, mut command)) = split(line, fields) else {
        return import.problem(place, format!("found fewer than {fields} fields and a command"));
    };
    if expression.eq_ignore_ascii_case("@reboot") {
        return import.problem(place, "@reboot names no time: nothing boots here");
    }
    let mut user = None;
    if with_user {
        let Some((name, rest)) = split(command, 1) else {
            return import.problem(place, "found no command behind the user");
        };
        (user, command) = (Some(name), rest);
    }
    let spread = random_to_hash(&expression);
    let mut draft = Draft::new(place, command_name(command), cron(&spread, zone));
    if spread != expression {
        draft
            .warnings
            .push(format!("`~` chose a time whenever cron started; `H` in \"{spread}\" is fixed for the template"));
    }
    if command.contains('%') {
        draft.warnings.push("`%` in the command meant a new line of its standard input".to_owned());
    }
    draft.payload = match user {
        Some(user) => json!({"command": command, "user": user}),
        None => json!({"command": command}),
    };
    // cron starts the next run whatever became of the last one.
    draft.policies.insert("overlap".to_owned(), json!("allow_all"));
    draft.finish(import);
}

/// The first fields, one blank apart, and what stands behind them.
fn split(line: &str, fields: usize) -> Option<(String, &str)> {
    let mut rest = line;
    let mut taken = Vec::new();
    for _ in 0..fields {
        let (field, behind) = rest.split_once([' ', '\t'])?;
        taken.push(field);
        rest = behind.trim_start();
    }
    (!rest.is_empty()).then(|| (taken.join(" "), rest))
}

/// cronie's `~`, a random value: `0~59` becomes `H(0-59)`, a bare `~` becomes `H`.
fn random_to_hash(expression: &str) -> String {
    let field = |field: &str| match field.split_once('~') {
        Some(("", "")) => "H".to_owned(),
        Some((low, high)) if !low.is_empty() && !high.is_empty() => format!("H({low}-{high})"),
        _ => field.to_owned(),
    };
    expression.split(' ').map(field).collect::<Vec<_>>().join(" ")
}

/// What a command is called: the program, without its folder.
fn command_name(command: &str) -> &str {
    let words = command.split_whitespace().filter(|word| !word.contains('='));
    let program = words.into_iter().next().unwrap_or(command);
    program.rsplit('/').next().unwrap_or(program)
}
