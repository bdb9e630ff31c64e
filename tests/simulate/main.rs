//! Random stories, a promise checked after every step: `docs/simulate.md` is the manual.
//!
//! ```text
//! cargo test --profile simulate -p testkit --test simulate                    as many seeds as ./test takes
//! POSTRIDER_SEEDS=0..100000 cargo test ...                                    these
//! POSTRIDER_SEED=4711 cargo test ...                                          one, told twice, its story printed
//! POSTRIDER_SEED=4711 POSTRIDER_STORY=FILE POSTRIDER_LOG=info cargo test ...  a story that was made short, with the servers' log
//! POSTRIDER_FIRST=yes cargo test ...                                          as many as it takes to find one that breaks a promise
//! ```
//!
//! A seed that breaks a promise is made as short as it can be and written to the folder `POSTRIDER_FOUND`, or the temporary one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use testkit::simulate::{Broken, Run, Violation, compose, reduce};

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seeds of a run that nobody asked more of.
const SEEDS: Range<u64> = 0..2000;

/// Every so many seeds one is told twice: the same seed must be the same run.
const TWICE: u64 = 50;

/// How long one story may take; most take less than a tenth of a second.
const STORY_MAX: Duration = Duration::from_secs(120);

/// Broken seeds that are made short; more show the same.
const REDUCED_MAX: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|one| one == "--list") {
        return listed(&arguments);
    }
    quiet();
    if std::env::var_os("POSTRIDER_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_env("POSTRIDER_LOG");
        tracing_subscriber::fmt().with_env_filter(filter).init();
    }
    match std::env::var("POSTRIDER_SEED") {
        Ok(seed) => one(seed.parse().expect("POSTRIDER_SEED is a number")),
        Err(_) if std::env::var_os("POSTRIDER_FIRST").is_some() => many(seeds(), Vec::new()),
        Err(_) => many(seeds(), kept()),
    }
}

/// What a test runner asks first.
fn listed(arguments: &[String]) -> ExitCode {
    if !arguments.iter().any(|one| one == "--ignored") {
        println!("every_promise_holds_in_random_stories: test");
    }
    ExitCode::SUCCESS
}

/// Panics are a part of the stories.
fn quiet() {
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload().downcast_ref::<String>();
        if !text.is_some_and(|text| text.starts_with("a defect at ")) {
            eprintln!("{panic}");
        }
    }));
}

fn seeds() -> Range<u64> {
    let Ok(range) = std::env::var("POSTRIDER_SEEDS") else {
        return SEEDS;
    };
    let (from, to) = range.split_once("..").expect("POSTRIDER_SEEDS is FROM..TO");
    from.parse().expect("a number")..to.parse().expect("a number")
}

/// Stories that broke a promise once: the seed of their dice, and their text. Its file's name says what holds now.
fn kept() -> Vec<(u64, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/simulate/kept");
    let files = std::fs::read_dir(folder).expect("the folder of kept stories");
    let story = |file: std::io::Result<std::fs::DirEntry>| {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("a kept story is text");
        let seed = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# seed "));
        let seed = seed.and_then(|seed| seed.parse().ok());
        (seed.expect("a kept story begins with # seed N"), text)
    };
    files.map(story).collect()
}

fn one(seed: u64) -> ExitCode {
    let story = match std::env::var("POSTRIDER_STORY") {
        Ok(file) => std::fs::read_to_string(file).expect("POSTRIDER_STORY names a file"),
        Err(_) => compose(seed),
    };
    println!("{story}");
    match (Run::of(&story, seed), Run::of(&story, seed)) {
        (Ok(first), Ok(second)) if first == second => {
            println!("{first:#?}");
            ExitCode::SUCCESS
        }
        (Ok(first), Ok(second)) => {
            println!("the same seed was not the same run: {first:?}, {second:?}");
            ExitCode::FAILURE
        }
        (Err(violation), _) | (_, Err(violation)) => {
            tell(seed, &violation);
            shorten(seed, &story);
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Sum {
    seeds: u64,
    messages: usize,
    recipients: usize,
    looks: usize,
    faults: BTreeMap<&'static str, usize>,
    violations: usize,
    reduced: usize,
}

fn many(seeds: Range<u64>, kept: Vec<(u64, String)>) -> ExitCode {
    let began = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let sum = Mutex::new(Sum::default());
    let kept_stories = kept.len();
    for (seed, story) in kept {
        run(seed, &story, &sum);
    }
    let first = std::env::var("POSTRIDER_FIRST").is_ok();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || (first && found(&sum)) {
                        return;
                    }
                    run(seed, &compose(seed), &sum);
                }
            });
        }
    });
    let sum = sum.into_inner().expect("no thread panicked");
    println!(
        "seeds {}, {kept_stories} of them kept, messages {}, recipients {}, looks at the book {}, violations {}, {:.1} s",
        sum.seeds,
        sum.messages,
        sum.recipients,
        sum.looks,
        sum.violations,
        began.elapsed().as_secs_f64()
    );
    for (kind, times) in &sum.faults {
        println!("  {times:>9} {kind}");
    }
    match sum.violations {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn found(sum: &Mutex<Sum>) -> bool {
    sum.lock().expect("no thread panicked").violations > 0
}

/// Tells a story on a thread of its own. One that goes round and round while no time passes would never end.
fn bounded(story: &str, seed: u64) -> Result<Run, Violation> {
    let (told, heard) = std::sync::mpsc::channel();
    let text = story.to_owned();
    std::thread::spawn(move || told.send(Run::of(&text, seed)).is_ok());
    heard.recv_timeout(STORY_MAX).unwrap_or_else(|silence| {
        let (promise, words) = match silence {
            RecvTimeoutError::Timeout => (
                "P12 every wait has an end",
                format!("the story was not over within {STORY_MAX:?}"),
            ),
            RecvTimeoutError::Disconnected => (
                "the story can be told",
                "whoever told it panicked".to_owned(),
            ),
        };
        Err(Violation {
            line: 0,
            text: String::new(),
            broken: Broken { promise, words },
        })
    })
}

fn run(seed: u64, story: &str, sum: &Mutex<Sum>) {
    let told = bounded(story, seed);
    let again = seed.is_multiple_of(TWICE).then(|| bounded(story, seed));
    let same = match (&told, &again) {
        (Ok(first), Some(Ok(second))) => first == second,
        (Ok(_), Some(Err(_))) => false,
        (Ok(_), None) | (Err(_), _) => true,
    };
    let mut sum = sum.lock().expect("no thread panicked");
    sum.seeds += 1;
    if !same {
        sum.violations += 1;
        println!("seed {seed}: the same seed was not the same run");
    }
    match told {
        Ok(run) => {
            sum.messages += run.messages;
            sum.recipients += run.recipients;
            sum.looks += run.looks;
            for (kind, times) in run.faults {
                *sum.faults.entry(kind).or_default() += times;
            }
        }
        Err(violation) => {
            sum.violations += 1;
            sum.reduced += 1;
            let many = sum.reduced > REDUCED_MAX;
            drop(sum);
            tell(seed, &violation);
            if !many && violation.line > 0 {
                shorten(seed, story);
            }
        }
    }
}

fn tell(seed: u64, violation: &Violation) {
    println!("seed {seed}: {violation}\n  again: POSTRIDER_SEED={seed}");
}

/// Writes the story down as short as it can be, for whoever wants to keep it.
fn shorten(seed: u64, story: &str) {
    if std::env::var("POSTRIDER_REDUCE").is_ok_and(|word| word == "no") {
        return;
    }
    let folder = std::env::var("POSTRIDER_FOUND");
    let folder = folder.map_or_else(|_| std::env::temp_dir(), PathBuf::from);
    let file = folder.join(format!("seed_{seed}.txt"));
    let text = format!("# seed {seed}\n{}", reduce(story, seed));
    match std::fs::write(&file, text) {
        Ok(()) => println!("  in short: {}", file.display()),
        Err(error) => println!("  it cannot be written to {}: {error}", file.display()),
    }
}
