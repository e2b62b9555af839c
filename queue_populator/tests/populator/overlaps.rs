//! Overlaps, judged as a job falls due.

use crate::world::World;
use scheduler_core::domain::JobId;
use scheduler_core::queue::Member;
use test_support::seed::JobSeed;
use test_support::sql;
use uuid::Uuid;

struct Template {
    id: Uuid,
    /// None: `skip`.
    policy: Option<&'static str>,
}

impl Template {
    fn new() -> Self {
        Self { id: Uuid::new_v4(), policy: None }
    }

    fn with(policy: &'static str) -> Self {
        Self { policy: Some(policy), ..Self::new() }
    }

    /// A job of the template and its occurrence.
    async fn job(&self, world: &World, due_in_seconds: f64) -> JobId {
        let seed = JobSeed {
            due_in_seconds,
            template: Some(self.id),
            overlap_skip: self.policy.is_none(),
            overlap: self.policy,
            template_limit: self.policy.map(|_| 1),
            ..JobSeed::due(world.merchant)
        };
        let job = seed.insert(world.store()).await;
        let occurrence = format!(
            "INSERT INTO occurrences (merchant_id, template_id, nominal_at, outcome, job_id, version)
             SELECT merchant_id, template_id, scheduled_for, 'dispatched', id, 1 FROM jobs_live WHERE id = '{job}'"
        );
        sql::execute(world.store(), &occurrence).await;
        job
    }
}

async fn count(world: &World, condition: &str) -> i64 {
    sql::number(world.store(), &format!("SELECT count(*) FROM {condition}")).await
}

#[tokio::test]
async fn a_job_that_falls_due_beside_an_earlier_one_is_skipped_with_its_occurrence() {
    let (world, populator) = World::running().await;
    let template = Template::new();
    let first = template.job(&world, -1.0).await;
    let second = template.job(&world, 0.7).await;
    let popper = world.popper("default").await;
    assert_eq!(world.pop(&popper).await.job, first);
    assert_eq!(world.state(second).await, "scheduled", "not judged before it is due");
    world.until_state(second, "skipped").await;
    let finished = format!("jobs_finished WHERE id = '{second}' AND reason = 'overlap' AND execution_id IS NULL");
    assert_eq!(count(&world, &finished).await, 1);
    let occurrence = |job, outcome| format!("occurrences WHERE job_id = '{job}' AND outcome = '{outcome}'");
    assert_eq!(count(&world, &occurrence(second, "skipped_overlap")).await, 1);
    assert_eq!(count(&world, &occurrence(first, "dispatched")).await, 1);
    assert_eq!(count(&world, "claims").await, 0, "the key was given back");
    populator.stop().await;
}

#[tokio::test]
async fn a_job_whose_earlier_one_has_ended_stands() {
    let (world, populator) = World::running().await;
    let template = Template::new();
    let first = template.job(&world, -1.0).await;
    let second = template.job(&world, 0.7).await;
    world.gone(&[Member { merchant: world.merchant, job: first }]).await;
    let popper = world.popper("default").await;
    while world.pop(&popper).await.job != second {}
    assert_eq!(world.state(second).await, "scheduled");
    populator.stop().await;
}

#[tokio::test]
async fn what_runs_is_not_skipped_and_other_templates_do_not_matter() {
    let world = World::new().await;
    let (template, other) = (Template::new(), Template::new());
    template.job(&world, -20.0).await;
    let running = template.job(&world, -10.0).await;
    let alone = other.job(&world, -5.0).await;
    let future = template.job(&world, 3600.0).await;
    let claim = format!(
        "INSERT INTO claims VALUES ('{}', '{running}', gen_random_uuid(), gen_random_uuid(), clock_timestamp())",
        world.merchant
    );
    sql::execute(world.store(), &claim).await;
    let jobs = [running, alone, future].map(|job| (world.merchant, job));
    assert_eq!(world.store().skip_overlaps(&jobs).await.unwrap(), []);
    assert_eq!(count(&world, "claims").await, 1, "the others' keys were given back");
    sql::execute(world.store(), "DELETE FROM claims").await;
    assert_eq!(world.store().skip_overlaps(&jobs).await.unwrap(), [(world.merchant, running)]);
    assert_eq!(world.store().skip_overlaps(&jobs).await.unwrap(), [], "once");
}

#[tokio::test]
async fn overlaps_are_found_page_by_page() {
    let world = World::new().await;
    let template = Template::new();
    let mut jobs = Vec::new();
    for age in [50.0, 40.0, 30.0, 20.0, 10.0] {
        jobs.push(template.job(&world, -age).await);
    }
    template.job(&world, 3600.0).await;
    let now = test_support::seed::database_now(world.store()).await;
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = world.store().due_overlaps(now, after, 2).await.unwrap();
        found.extend(page.judged.iter().map(|(_, job, _)| *job));
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((found, pages), (jobs[1..].to_vec(), 3));
}

#[tokio::test]
async fn what_waits_is_not_offered_until_its_turn_has_come() {
    let (world, populator) = World::running().await;
    let template = Template::with("buffer_all");
    let first = template.job(&world, -2.0).await;
    let popper = world.popper("default").await;
    assert_eq!(world.pop(&popper).await.job, first);
    let claim = format!(
        "INSERT INTO claims VALUES ('{}', '{first}', gen_random_uuid(), gen_random_uuid(), now())",
        world.merchant
    );
    sql::execute(world.store(), &claim).await;
    let (second, third) = (template.job(&world, -1.0).await, template.job(&world, -0.5).await);
    let another = world.job().await;
    assert_eq!(world.pop(&popper).await.job, another, "others pass");
    for (gone, next) in [(first, second), (second, third)] {
        assert_eq!(world.state(next).await, "scheduled");
        world.gone(&[Member { merchant: world.merchant, job: gone }]).await;
        while world.pop(&popper).await.job != next {}
    }
    populator.stop().await;
}

#[tokio::test]
async fn a_running_one_is_called_off_as_the_next_falls_due() {
    let (world, populator) = World::running().await;
    let template = Template::with("cancel_other");
    let running = template.job(&world, -2.0).await;
    let claim = format!(
        "INSERT INTO claims VALUES ('{}', '{running}', gen_random_uuid(), gen_random_uuid(), now())",
        world.merchant
    );
    sql::execute(world.store(), &claim).await;
    let (passed_over, latest) = (template.job(&world, 0.7).await, template.job(&world, 1.0).await);
    world.until_state(passed_over, "skipped").await;
    let asked = format!("jobs_live WHERE id = '{running}' AND cancel_requested_at IS NOT NULL");
    assert_eq!(count(&world, &asked).await, 1);
    assert_eq!(world.state(latest).await, "scheduled");
    populator.stop().await;
}
