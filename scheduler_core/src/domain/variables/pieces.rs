//! Text taken apart into plain text, variables and escapes.

/// What can stand between the braces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variable {
    /// The nominal time.
    ScheduledFor,
    /// The nominal time before this one.
    PreviousScheduledFor,
    /// The nominal time after this one.
    NextScheduledFor,
    /// The number of the attempt, from 1.
    Attempt,
    /// The job's id.
    JobId,
    /// The template's id.
    TemplateId,
    /// The merchant's id.
    MerchantId,
    /// Where the time that this occurrence stands for begins: the nominal time before it.
    DataIntervalStart,
    /// Where it ends (exclusive): the nominal time.
    DataIntervalEnd,
}

/// Every variable by its name.
const NAMES: [(&str, Variable); 9] = [
    ("scheduled_for", Variable::ScheduledFor),
    ("previous_scheduled_for", Variable::PreviousScheduledFor),
    ("next_scheduled_for", Variable::NextScheduledFor),
    ("attempt", Variable::Attempt),
    ("job_id", Variable::JobId),
    ("template_id", Variable::TemplateId),
    ("merchant_id", Variable::MerchantId),
    ("data_interval_start", Variable::DataIntervalStart),
    ("data_interval_end", Variable::DataIntervalEnd),
];

/// What other schedulers call the same things.
const ELSEWHERE: [(&str, Variable); 10] = [
    ("now", Variable::ScheduledFor),
    ("run_at", Variable::ScheduledFor),
    ("timestamp", Variable::ScheduledFor),
    ("scheduled_time", Variable::ScheduledFor),
    ("logical_date", Variable::DataIntervalStart),
    ("execution_date", Variable::DataIntervalStart),
    ("ds", Variable::DataIntervalStart),
    ("run_id", Variable::JobId),
    ("id", Variable::JobId),
    ("try_number", Variable::Attempt),
];

impl Variable {
    /// Its name between the braces.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, variable)| *variable == self).map_or("", |(name, _)| name)
    }

    /// All names, for a sentence.
    pub(super) fn names() -> String {
        NAMES.map(|(name, _)| name).join(", ")
    }

    /// The variable that a wrong name was probably meant to be.
    pub(super) fn meant_by(wrong: &str) -> Option<Self> {
        // The distance costs the product of both lengths: a long text is no misspelt name.
        if wrong.len() > 64 {
            return None;
        }
        let lower = wrong.to_ascii_lowercase().replace(['-', ' ', '.'], "_");
        let elsewhere = ELSEWHERE.iter().find(|(name, _)| *name == lower).map(|(_, variable)| *variable);
        let nearest = NAMES
            .iter()
            .map(|(name, variable)| (strsim::osa_distance(&lower, name), name.len(), *variable))
            .filter(|(distance, length, _)| *distance <= 1 + length / 4)
            .min_by_key(|(distance, ..)| *distance);
        elsewhere.or(nearest.map(|(.., variable)| variable))
    }

    fn of_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, variable)| *variable)
    }
}

/// A part of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Piece<'a> {
    /// Stands for itself.
    Text(&'a str),
    /// `{{{{`, which stands for `{{`.
    Escape,
    /// A variable, and how it is written (blanks may stand around the name).
    Variable { variable: Variable, written: &'a str },
    /// Braces around something that is no variable.
    Unknown { name: &'a str, written: &'a str },
    /// Opening braces and what follows them, without closing ones.
    Unclosed(&'a str),
}

impl<'a> Piece<'a> {
    /// The piece as it stands in the text.
    pub fn as_written(self) -> &'a str {
        match self {
            Self::Text(text) | Self::Unclosed(text) => text,
            Self::Escape => "{{{{",
            Self::Variable { written, .. } | Self::Unknown { written, .. } => written,
        }
    }
}

/// The pieces of a text, in order; together they are the text.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let piece = first_piece(rest);
        rest = &rest[piece.as_written().len()..];
        Some(piece)
    })
}

fn first_piece(text: &str) -> Piece<'_> {
    match text.find("{{") {
        None => return Piece::Text(text),
        Some(0) => {}
        Some(at) => return Piece::Text(&text[..at]),
    }
    if text.starts_with("{{{{") {
        return Piece::Escape;
    }
    let Some(end) = text.find("}}") else { return Piece::Unclosed(text) };
    let (name, written) = (text[2..end].trim(), &text[..end + 2]);
    match Variable::of_name(name) {
        Some(variable) => Piece::Variable { variable, written },
        None => Piece::Unknown { name, written },
    }
}
