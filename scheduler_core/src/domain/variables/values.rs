//! What the variables of one job stand for.

use super::Variable;
use crate::domain::{JobId, MerchantId, TemplateId};
use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

/// What is known of a job when it is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Values {
    /// Whose job.
    pub merchant: MerchantId,
    /// Of which template.
    pub template: TemplateId,
    /// Which job.
    pub job: JobId,
    /// Its nominal time; of a triggered job, when it was triggered.
    pub scheduled_for: DateTime<Utc>,
    /// The nominal time before it, if there is one; it may lie before the template was made.
    pub previous: Option<DateTime<Utc>>,
    /// The nominal time after it, if there is one.
    pub next: Option<DateTime<Utc>>,
}

impl Values {
    /// A value as text; `None` for what is not known before an attempt starts. A neighbour that does not exist (of a single
    /// time, before the first or after the last one) is empty text.
    pub fn of(&self, variable: Variable) -> Option<String> {
        Some(match variable {
            Variable::ScheduledFor | Variable::DataIntervalEnd => time(self.scheduled_for),
            Variable::PreviousScheduledFor | Variable::DataIntervalStart => self.previous.map(time).unwrap_or_default(),
            Variable::NextScheduledFor => self.next.map(time).unwrap_or_default(),
            Variable::JobId => self.job.to_string(),
            Variable::TemplateId => self.template.to_string(),
            Variable::MerchantId => self.merchant.to_string(),
            Variable::Attempt => return None,
        })
    }

    /// Values of the right form, for judging what they are put into.
    pub(super) fn example() -> Self {
        Self {
            merchant: MerchantId(Uuid::nil()),
            template: TemplateId(Uuid::nil()),
            job: JobId(Uuid::nil()),
            scheduled_for: DateTime::UNIX_EPOCH,
            previous: Some(DateTime::UNIX_EPOCH),
            next: Some(DateTime::UNIX_EPOCH),
        }
    }
}

/// RFC 3339 in UTC, with `Z` and no more digits than there are.
fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
