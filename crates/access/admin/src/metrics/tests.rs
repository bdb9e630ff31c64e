//! The catalogue is well formed, and what is written from it, or for it, names what it has.

use std::collections::BTreeSet;

use ground_settings::Settings;
use ground_store::{Options, Store};
use ground_world::World;
use path_ledger::LedgerOptions;

use super::catalogue::{Declared, Kind, LABELS};
use super::*;

#[test]
fn each_measure_has_a_name_of_its_own_that_ends_with_its_unit_and_a_sentence() {
    let names: BTreeSet<_> = Measure::ALL.iter().map(|one| one.declared().name).collect();
    assert_eq!(names.len(), Measure::ALL.len());
    for measure in Measure::ALL {
        let declared = measure.declared();
        let unit = format!("_{}", declared.unit);
        assert!(declared.name.starts_with("postrider_"), "{declared:?}");
        assert!(
            declared.unit.is_empty() || declared.name.ends_with(&unit),
            "{declared:?}"
        );
        assert!(declared.help.ends_with('.'), "{declared:?}");
    }
    let used = Measure::ALL.iter().flat_map(|one| one.declared().labels);
    let known = LABELS.iter().map(|(label, _)| label);
    assert_eq!(used.collect::<BTreeSet<_>>(), known.collect());
}

#[test]
fn the_manual_on_disk_is_the_one_of_the_catalogue() {
    assert!(
        read("docs/metrics.md") == manual(),
        "run: cargo run -p access-admin --example metrics > docs/metrics.md"
    );
}

#[tokio::test(start_paused = true)]
async fn the_page_has_each_measure_once_and_nothing_else() {
    let (world, _simulation) = World::simulated(7);
    let store = Store::open("sqlite::memory:", Options::default(), &world);
    let settings = Settings::parse("hostname = \"mx.test\"\n").unwrap();
    let options = LedgerOptions::from_settings("node1", &settings);
    let ledger = Ledger::open(store.await.unwrap(), world, options).await;
    let audited = Audited {
        at: Time::EPOCH,
        difference: 0,
    };
    let page = text(&ledger.unwrap(), &[], Some(audited)).await.unwrap();
    let families = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let declared = Measure::ALL.iter().map(|one| {
        let declared = one.declared();
        format!("{} {}", declared.name, declared.kind.word())
    });
    assert!(families.eq(declared), "{page}");
    assert!(page.ends_with("# EOF\n"), "{page}");
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.map(|line| line.split(['{', ' ']).next().unwrap_or_default());
    let mut missing = samples_declared();
    // No next hop has mail.
    missing.remove("postrider_hop_up");
    for sample in samples.collect::<BTreeSet<_>>() {
        assert!(missing.remove(sample), "{sample} is not declared");
    }
    assert_eq!(missing, BTreeSet::new());
}

#[test]
fn the_dashboard_and_the_rules_ask_for_measures_that_there_are() {
    let declared = samples_declared();
    for file in [
        "demo/monitoring/postrider.dashboard.json",
        "demo/monitoring/postrider.rules.yml",
    ] {
        let text = read(file);
        let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
        let names = text.split(|c| !is_part(c));
        let asked: BTreeSet<&str> = names
            .filter(|name| name.starts_with("postrider_"))
            .collect();
        assert!(!asked.is_empty(), "{file}");
        for name in asked {
            assert!(declared.contains(name), "{file}: {name}");
        }
    }
}

fn samples_declared() -> BTreeSet<String> {
    let samples = |one: &Measure| {
        let Declared { name, kind, .. } = one.declared();
        let suffixes: &[&str] = match kind {
            Kind::Gauge | Kind::Counter => &[kind.suffix()],
            Kind::Histogram => &["_bucket", "_count", "_sum"],
        };
        let samples = suffixes.iter().map(|suffix| format!("{name}{suffix}"));
        samples.collect::<Vec<_>>()
    };
    Measure::ALL.iter().flat_map(samples).collect()
}

fn read(file: &str) -> String {
    let path = format!("{}/../../../{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}
