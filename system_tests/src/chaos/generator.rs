//! The load: what merchants do, from a seed, through the API, with every call and answer noted.

use super::fleet::{Fleet, MERCHANTS};
use super::history::{Answer, Call, History};
use super::wall_clock;
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use test_support::Random;
use uuid::Uuid;

/// Callers at the same time.
const CALLERS: u64 = 6;
/// The queue that runs few of its jobs at once.
pub const LIMITED: &str = "limited";
/// How many of its jobs, of each merchant.
pub const QUEUE_LIMIT: usize = 3;
/// And how many with the same key.
pub const KEY_LIMIT: usize = 1;
/// The templates of each merchant: period in seconds, overlap policy, how many at once, how long a job takes in milliseconds,
/// kind of schedule.
const TEMPLATES: [(i64, &str, usize, u64, &str); 5] = [
    (2, "allow_all", 1, 10, "interval"),
    (3, "allow_all", 1, 10, "cron"),
    (1, "skip", 1, 1700, "cron"),
    (1, "buffer_all", 2, 1300, "interval"),
    (2, "cancel_other", 1, 2600, "cron"),
];
/// How long a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(6);

/// A client of the API that notes what it asks and hears; cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    keys: Vec<String>,
    target: String,
    history: History,
}

impl Client {
    /// A client of a fleet whose jobs call `target`.
    pub fn new(fleet: &Fleet, target: &str, history: &History) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let (base, keys) = (fleet.base.clone(), fleet.keys.clone());
        Self { http, base, keys, target: target.to_owned(), history: history.clone() }
    }

    /// Asks once, and notes it.
    pub async fn ask(
        &self,
        merchant: usize,
        call: Call,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        let mut request =
            self.http.request(method, format!("{}{path}", self.base)).header("x-api-key", &self.keys[merchant]);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let sent = wall_clock();
        let answer = match request.send().await {
            Ok(response) => read(response).await,
            Err(_) => Answer::Unknown,
        };
        self.history.note(merchant, call, sent, answer.clone());
        answer
    }

    /// Creates the jobs of `bodies`: alone or as a batch. With a key it is repeated until there is an answer.
    pub async fn create(&self, merchant: usize, bodies: Vec<Value>, key: Option<String>) -> Answer {
        let external_ids = bodies.iter().map(|body| body["external_id"].as_str().unwrap_or_default().to_owned());
        let parents = bodies.iter().flat_map(|body| body["depends_on"].as_array().cloned().unwrap_or_default());
        let parents = parents.filter_map(|parent| parent.as_str()?.parse().ok()).collect();
        let call = Call::Create { external_ids: external_ids.collect(), key: key.clone(), parents };
        let (path, body) = match <[Value; 1]>::try_from(bodies) {
            Ok([alone]) => ("/v1/jobs", alone),
            Err(many) => ("/v1/jobs/batch", json!({ "jobs": many })),
        };
        let mut tries = 0;
        loop {
            let answer = self.ask(merchant, call.clone(), Method::POST, path, key.as_deref(), Some(&body)).await;
            tries += 1;
            if answer != Answer::Unknown || key.is_none() || tries == 8 {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// A job that calls the target. `steps`: status and milliseconds, one pair an attempt.
    pub fn job(&self, merchant: usize, external_id: &str, steps: &[(u16, u64)]) -> Value {
        json!({
            "target": { "kind": "http", "url": self.target },
            "payload": { "merchant": merchant, "steps": steps },
            "external_id": external_id,
            "max_attempts": 4,
            "timeout_seconds": 4,
            "backoff": { "kind": "fixed", "initial_seconds": 0.3, "jitter": "none" },
        })
    }
}

async fn read(response: reqwest::Response) -> Answer {
    let status = response.status().as_u16();
    let Ok(body) = response.json::<Value>().await else { return Answer::Unknown };
    let id = |value: &Value| value["id"].as_str().and_then(|id| id.parse::<Uuid>().ok());
    match status {
        200..300 => match body["jobs"].as_array() {
            Some(jobs) => Answer::Done(status, jobs.iter().filter_map(id).collect()),
            None => Answer::Done(status, id(&body).into_iter().collect()),
        },
        400..500 if status != 408 && status != 429 => Answer::Refused(status),
        _ => Answer::Unknown,
    }
}

/// The seeded load of one run.
#[derive(Clone)]
pub struct Generator {
    client: Client,
    seed: Random,
    /// Ids of acknowledged jobs, as (merchant, id): what may be called off, hurried or waited for.
    known: Arc<Mutex<Vec<(usize, Uuid)>>>,
}

impl Generator {
    /// The load of a seed.
    pub fn new(client: Client, seed: Random) -> Self {
        Self { client, seed, known: Arc::default() }
    }

    /// Goes on until `deadline`.
    pub async fn run(&self, deadline: Instant) {
        let callers = (0..CALLERS).map(|number| {
            let (this, random) = (self.clone(), self.seed.split(number + 1));
            tokio::spawn(async move { this.caller(number, random, deadline).await })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    }

    async fn caller(&self, number: u64, mut random: Random, deadline: Instant) {
        let mut count = 0;
        while Instant::now() < deadline {
            let name = format!("c{number}-{count}");
            self.act(&name, &mut random).await;
            count += 1;
            tokio::time::sleep(random.millis(40, 260)).await;
        }
    }

    async fn act(&self, name: &str, random: &mut Random) {
        let merchant = random.below(MERCHANTS as u64) as usize;
        match random.below(100) {
            0..44 => self.create(merchant, name, random).await,
            44..50 => self.limited(merchant, name, random).await,
            50..60 => self.batch(merchant, name, random).await,
            60..68 => self.shared_key(name, random).await,
            68..73 => self.deduped(merchant, name, random).await,
            73..80 => self.child(merchant, name, random).await,
            80..90 => self.called_off(merchant, name, random).await,
            90..95 => self.on_known(random, "run-now", Call::RunNow).await,
            _ => self.on_known(random, "redrive", Call::Redrive).await,
        }
    }

    fn body(&self, merchant: usize, name: &str, random: &mut Random) -> Value {
        let steps: &[(u16, u64)] = match random.below(100) {
            0..45 => &[(200, 5)],
            45..60 => &[(200, 400)],
            60..66 => &[(200, 1800)],
            // Whose first result may come while the second attempt still runs.
            66..74 => &[(200, 500), (200, 3500)],
            74..84 => &[(500, 5), (503, 20), (200, 5)],
            84..90 => &[(500, 5)],
            90..95 => &[(400, 5)],
            _ => &[(200, 6000), (200, 5)],
        };
        let mut body = self.client.job(merchant, name, steps);
        if random.chance(20) {
            body["delay_seconds"] = json!(random.below(3000) as f64 / 1000.0);
        }
        body["priority"] = json!(random.below(10));
        body
    }

    fn learn(&self, merchant: usize, answer: &Answer) {
        if let Answer::Done(_, ids) = answer {
            self.known.lock().extend(ids.iter().map(|id| (merchant, *id)));
        }
    }

    async fn create(&self, merchant: usize, name: &str, random: &mut Random) {
        let body = self.body(merchant, name, random);
        let key = random.chance(40).then(|| format!("key-{name}"));
        let answer = self.client.create(merchant, vec![body], key).await;
        self.learn(merchant, &answer);
    }

    async fn batch(&self, merchant: usize, name: &str, random: &mut Random) {
        let count = 2 + random.below(15);
        let bodies = (0..count).map(|n| self.body(merchant, &format!("{name}-{n}"), random)).collect();
        let key = random.chance(50).then(|| format!("key-{name}"));
        let answer = self.client.create(merchant, bodies, key).await;
        self.learn(merchant, &answer);
    }

    /// Several jobs of a queue that runs few at once, most of them with a key of which fewer still do.
    async fn limited(&self, merchant: usize, name: &str, random: &mut Random) {
        let bodies = (0..4).map(|n| {
            let mut body = self.client.job(merchant, &format!("{name}-{n}"), &[(200, 250)]);
            body["queue"] = json!(LIMITED);
            if random.chance(60) {
                body["concurrency_key"] = json!(format!("k{}", random.below(3)));
            }
            body
        });
        let answer = self.client.create(merchant, bodies.collect(), Some(format!("key-{name}"))).await;
        self.learn(merchant, &answer);
    }

    /// Limits that queue.
    pub async fn limit_queues(&self) {
        let limits = json!({ "concurrency": QUEUE_LIMIT, "concurrency_key_limit": KEY_LIMIT });
        for merchant in 0..MERCHANTS {
            let path = format!("/v1/queues/{LIMITED}");
            self.client.ask(merchant, Call::LimitQueue, Method::PATCH, &path, None, Some(&limits)).await;
        }
    }

    /// Every merchant uses the same key for the same request, twice, at the same time.
    async fn shared_key(&self, name: &str, random: &mut Random) {
        let mut body = self.client.job(0, &format!("shared-{name}"), &[(200, 5)]);
        body["payload"]["merchant"] = json!(random.below(u64::MAX / 2) | 1 << 40);
        let asks = (0..MERCHANTS * 2).map(|n| {
            let key = Some(format!("shared-{name}"));
            self.client.create(n % MERCHANTS, vec![body.clone()], key)
        });
        futures::future::join_all(asks).await;
    }

    async fn deduped(&self, merchant: usize, name: &str, random: &mut Random) {
        let mut body = self.body(merchant, name, random);
        body["dedupe_key"] = json!(format!("d{}", random.below(4)));
        let answer = self.client.create(merchant, vec![body], None).await;
        self.learn(merchant, &answer);
    }

    /// A job that waits for up to two others.
    async fn child(&self, merchant: usize, name: &str, random: &mut Random) {
        let parents: Vec<Uuid> = {
            let known = self.known.lock();
            let recent = known.iter().rev().filter(|(of, _)| *of == merchant).take(2);
            recent.map(|(_, id)| *id).collect()
        };
        let mut body = self.body(merchant, name, random);
        body["depends_on"] = json!(parents);
        let key = random.chance(50).then(|| format!("key-{name}"));
        let answer = self.client.create(merchant, vec![body], key).await;
        self.learn(merchant, &answer);
    }

    /// A job that is called off: long before its time, or while it may be running.
    async fn called_off(&self, merchant: usize, name: &str, random: &mut Random) {
        let early = random.chance(50);
        let mut body = self.client.job(merchant, name, &[(200, 1500)]);
        if early {
            body["delay_seconds"] = json!(9);
        }
        let answer = self.client.create(merchant, vec![body], Some(format!("key-{name}"))).await;
        let Answer::Done(_, ids) = answer else { return };
        if !early {
            tokio::time::sleep(random.millis(0, 600)).await;
        }
        let path = format!("/v1/jobs/{}/cancel", ids[0]);
        self.client.ask(merchant, Call::Cancel(ids[0]), Method::POST, &path, None, Some(&json!({}))).await;
    }

    async fn on_known(&self, random: &mut Random, what: &str, call: fn(Uuid) -> Call) {
        let chosen = {
            let known = self.known.lock();
            if known.is_empty() { None } else { Some(*random.pick(&known)) }
        };
        let Some((merchant, id)) = chosen else { return };
        let path = match what {
            "redrive" => format!("/v1/dead-letters/{id}/redrive"),
            _ => format!("/v1/jobs/{id}/{what}"),
        };
        self.client.ask(merchant, call(id), Method::POST, &path, None, Some(&json!({}))).await;
    }

    /// Templates that fire while the load runs; their ids.
    pub async fn create_templates(&self) -> Vec<(usize, Uuid)> {
        let mut made = Vec::new();
        for merchant in 0..MERCHANTS {
            for (every, overlap, most, takes, kind) in TEMPLATES {
                let schedule = match kind {
                    "cron" => json!({ "kind": "cron", "expression": format!("*/{every} * * * * *") }),
                    _ => json!({ "kind": "interval", "every_seconds": every, "anchor": "epoch" }),
                };
                let mut job = self.client.job(merchant, "of-a-template", &[(200, takes)]);
                job.as_object_mut().unwrap().remove("external_id");
                let name = format!("{overlap}-{every}");
                let mut body = json!({ "name": name, "schedule": schedule, "job": job, "overlap": overlap });
                if most > 1 {
                    body["max_concurrent"] = json!(most);
                }
                let call = Call::Template { every_seconds: every, limit: (overlap != "allow_all").then_some(most) };
                let key = format!("template-{name}");
                let answer =
                    self.client.ask(merchant, call, Method::POST, "/v1/templates", Some(&key), Some(&body)).await;
                made.extend(super::history::ids_of(&answer).iter().map(|id| (merchant, *id)));
            }
        }
        made
    }

    /// Ends them, however often it has to be asked.
    pub async fn delete_templates(&self, templates: &[(usize, Uuid)]) {
        for (merchant, id) in templates {
            let path = format!("/v1/templates/{id}");
            for _ in 0..60 {
                let call = Call::DeleteTemplate(*id);
                let answer = self.client.delete(*merchant, call, &path).await;
                if !matches!(answer, Answer::Unknown) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
}

impl Client {
    /// `DELETE`, whose answer has no body.
    async fn delete(&self, merchant: usize, call: Call, path: &str) -> Answer {
        let request = self.http.delete(format!("{}{path}", self.base)).header("x-api-key", &self.keys[merchant]);
        let sent = wall_clock();
        let answer = match request.send().await.map(|response| response.status().as_u16()) {
            Ok(status @ 200..300) => Answer::Done(status, Vec::new()),
            Ok(status @ 400..500) => Answer::Refused(status),
            _ => Answer::Unknown,
        };
        self.history.note(merchant, call, sent, answer.clone());
        answer
    }
}
