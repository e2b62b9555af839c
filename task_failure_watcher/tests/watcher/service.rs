use crate::world::World;
use scheduler_core::config::{SecretUrl, Settings};
use scheduler_core::health::Health;
use scheduler_core::lifecycle::{Shutdown, ShutdownTrigger};
use scheduler_core::queue::HintSender;
use std::time::{Duration, Instant};
use test_support::seed::JobSeed;
use test_support::{Receiver, eventually};

const SOON: Duration = Duration::from_secs(15);

struct Service {
    health: Health,
    trigger: ShutdownTrigger,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Service {
    fn start(settings: Settings) -> Self {
        let (trigger, shutdown) = Shutdown::new();
        let health = Health::new("task_failure_watcher");
        let task = tokio::spawn(task_failure_watcher::run(settings, health.clone(), shutdown));
        Self { health, trigger, task }
    }

    async fn stop(self) {
        self.trigger.soft();
        tokio::time::timeout(SOON, self.task).await.expect("stops").unwrap().unwrap();
    }
}

fn settings(world: &World) -> Settings {
    let mut settings = Settings::defaults();
    settings.database.url = SecretUrl::new(world.db.url());
    settings.redis.url = SecretUrl::new(world.redis.url());
    settings.redis.prefix = world.redis.prefix().to_owned();
    settings
}

#[tokio::test]
async fn a_hint_is_followed_by_the_verdict_long_before_the_sweep_and_the_alert_goes_out() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let mut settings = settings(&world);
    settings.watcher.sweep = Duration::from_secs(60);
    settings.watcher.alert_url = Some(SecretUrl::new(receiver.url("/alerts")));
    let service = Service::start(settings);
    let hints = HintSender::new(world.redis.redis().await);
    let rounds = async {
        // The first sweeps of the start are over when a failure is still there after they could have seen it.
        for round in 0..3 {
            // A queue of its own, hence an incident of its own.
            let dead = JobSeed { queue: format!("q{round}"), ..JobSeed::failed(world.merchant, 1, false) };
            let (retried, dead) = (world.failed(1, true).await, dead.insert(world.store()).await);
            eventually(SOON, || async {
                hints.failed().await;
                let decided = world.state(retried).await == "retrying" && world.state(dead).await == "dead";
                decided.then_some(())
            })
            .await;
            receiver.wait_for(round + 1, SOON).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), rounds).await.expect("faster than a sweep");
    assert!(service.health.is_ready(), "{:?}", service.health.report());
    service.stop().await;
    // It said goodbye.
    assert_eq!(world.number("SELECT count(*) FROM sessions WHERE lost_at IS NULL").await, 0);
}

#[tokio::test]
async fn an_executor_that_vanishes_is_noticed_and_its_job_waits_again() {
    let world = World::new().await;
    let job = world.job().await;
    let mut settings = settings(&world);
    settings.session.lost = Duration::from_millis(800);
    settings.session.renew = Duration::from_millis(100);
    settings.watcher.sweep = Duration::from_millis(50);
    let session = world.session().await;
    world.claim(session, &[job]).await;
    let last_renewal = Instant::now();
    let service = Service::start(settings);
    eventually(SOON, || async { (world.state(job).await == "retrying").then_some(()) }).await;
    assert!(last_renewal.elapsed() >= Duration::from_millis(800), "{:?}", last_renewal.elapsed());
    service.stop().await;
}

#[tokio::test]
async fn a_database_that_is_away_makes_it_unready_and_does_not_end_it() {
    let world = World::new().await;
    let mut settings = settings(&world);
    settings.database.url = SecretUrl::new("postgres://nobody@127.0.0.1:9/nothing");
    let service = Service::start(settings);
    eventually(SOON, || async {
        let report = service.health.report();
        report.components.iter().any(|component| !component.ok).then_some(())
    })
    .await;
    assert!(!service.task.is_finished());
    service.stop().await;
}
