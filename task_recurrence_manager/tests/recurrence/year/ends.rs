//! Where something depends on how the jobs of a template end: times that are counted from ends, pauses and deletions by the
//! template itself.

use super::history::End;
use super::judge::{Case, Judge, Judged};
use super::ledger::Row;
use super::times::{Nominal, Span};
use chrono::{DateTime, Utc};

impl Judge<'_> {
    /// A version whose times are counted from the ends of runs; returns how many records belong to it.
    ///
    /// The first time is one interval after the version began. The next one is an interval after the end of the run, or
    /// after the time itself if it did not run.
    pub fn completion(&mut self, case: &mut Case<'_>, number: usize, span: Span, runs: &mut usize) -> usize {
        let told = case.told;
        let definition = &told.versions[number].definition;
        let Some(every) = definition.schedule.completion().map(|interval| interval.every) else { return 0 };
        let rows: Vec<Row> = case.rows.iter().filter(|row| span.contains(row.nominal_at)).cloned().collect();
        let mut bases = vec![span.after];
        let mut known_before = span.after;
        // A run of an earlier version that ended under this one counts, too.
        let before = told.ends.iter().filter(|end| end.nominal <= span.after && end.ended_at > span.after);
        bases.extend(before.map(|end| end.ended_at));
        for row in &rows {
            let base = row.nominal_at - every;
            if !bases.contains(&base) {
                self.complain(case, format_args!("{row:?} is not {every} after any of {bases:?}"));
            }
            if definition.policies.max_runs.is_some_and(|most| *runs >= most) {
                self.complain(case, format_args!("{row:?} after the last run"));
            }
            let around = told.around(case.merchant.calendars_at(row.judged_at));
            let time = Nominal { rolled_from: None, ..definition.schedule.judged(row.nominal_at, around) };
            // An end is known when it has been reviewed; it counts once no other run of the template goes on.
            let is_end = told.ends.iter().any(|end| end.ended_at == base);
            let before = told.ends.iter().filter(|end| end.nominal < row.nominal_at && end.ended_at <= row.judged_at);
            let last_end = before.map(|end| end.ended_at).max().filter(|_| is_end);
            let known_since =
                last_end.map_or(known_before, |at| case.reviewed(at).unwrap_or(self.end).max(known_before));
            known_before = row.judged_at;
            self.judged(case, number, row, &Judged { time, next: None, later: 0, known_since });
            *runs += usize::from(row.job_id.is_some());
            let end = told.ends.iter().find(|end| end.nominal == row.nominal_at);
            let later = told.ends.iter().filter(|end| end.ended_at > row.nominal_at).map(|end| end.ended_at);
            bases = match (row.job_id, end) {
                (Some(_), Some(end)) => vec![end.ended_at],
                (Some(_), None) => Vec::new(),
                (None, _) => std::iter::once(row.nominal_at).chain(later).collect(),
            };
        }
        // When it is known from where the next time is counted, the next managers plan it.
        let has_ended = definition.policies.max_runs.is_some_and(|most| *runs >= most);
        let all_ended = case
            .rows
            .iter()
            .filter(|row| row.job_id.is_some() && row.nominal_at <= span.until)
            .all(|row| row.outcome != "dispatched" || told.ends.iter().any(|end| end.nominal == row.nominal_at));
        if let [base] = bases[..]
            && !has_ended
            && all_ended
        {
            let last_end = told.ends.iter().filter(|end| end.nominal <= span.until).map(|end| end.ended_at).max();
            let known = case.reviewed(last_end.unwrap_or(base).max(base)).unwrap_or(self.end);
            let next = base + every;
            let mut drains = case.history.drains.iter().filter(|drain| drain.at >= known && drain.at <= span.until);
            if span.contains(next) && drains.any(|drain| drain.until >= next) {
                self.complain(case, format_args!("{next}: no record, {every} after {base}"));
            }
        }
        rows.len()
    }

    /// A version that ended because the template paused or deleted itself had a reason to, and one that had a reason did not go on.
    pub fn own_end(&mut self, case: &Case<'_>, number: usize, span: Span, runs: usize) {
        let told = case.told;
        let policies = &told.versions[number].definition.policies;
        let mut ended: Vec<&End> = told.ends.iter().filter(|end| span.contains(end.ended_at)).collect();
        ended.sort_by_key(|end| end.nominal);
        let next = told.versions.get(number + 1);
        if let Some(most) = policies.pause_after {
            let failing = |until: DateTime<Utc>| {
                let last = ended.iter().rev().filter(|end| end.ended_at <= until).take(most);
                last.clone().count() == most && last.clone().all(|end| end.dead)
            };
            let review = case.history.reviews.iter().find(|review| span.contains(**review) && failing(**review));
            let reviewed_before_end = review.filter(|review| **review < span.until);
            if let Some(review) = reviewed_before_end {
                self.complain(case, format_args!("failing since {review} and not paused, in version {}", number + 1));
            }
            if next.is_some_and(|next| told.paused_itself(number + 1) && !failing(next.at)) {
                self.complain(
                    case,
                    format_args!("paused itself at {:?} without {most} failures", next.map(|it| it.at)),
                );
            }
        } else if told.paused_itself(number + 1) {
            self.complain(case, format_args!("paused itself for no reason, in version {}", number + 1));
        }
        if next.is_none() && told.deleted_itself {
            let left = case.next_time(number, span.until);
            let had_all = policies.max_runs.is_some_and(|most| runs >= most);
            if let Some(left) = left.filter(|_| !had_all) {
                self.complain(case, format_args!("went at {} though {left} was to come", span.until));
            }
        }
    }
}
