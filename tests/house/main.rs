//! The house as it is built must be the house as it is drawn: which crate may import which, checked against `cargo metadata`.
#![expect(
    clippy::indexing_slicing,
    reason = "a test that cannot find a field of cargo metadata must fail"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Every crate with the crates of ours it may import. The order is the order of the floors.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("wire-message", &[]),
    ("wire-smtp", &["wire-message"]),
    ("ground-settings", &["wire-message"]),
    ("ground-world", &["wire-message"]),
    ("ground-store", &["wire-message", "ground-world"]),
    (
        "ground-directory",
        &["wire-message", "ground-world", "ground-store"],
    ),
    ("path-ledger", &["GROUND", "WIRE"]),
    ("path-notify", &["GROUND", "WIRE", "path-ledger"]),
    ("path-route", &["GROUND", "WIRE", "path-ledger"]),
    (
        "path-categorize",
        &["GROUND", "WIRE", "path-ledger", "path-notify"],
    ),
    (
        "path-accept",
        &[
            "GROUND",
            "WIRE",
            "path-ledger",
            "path-categorize",
            "path-route",
        ],
    ),
    (
        "path-deliver",
        &["GROUND", "WIRE", "path-ledger", "access-mailbox"],
    ),
    (
        "path-queue",
        &[
            "GROUND",
            "WIRE",
            "path-ledger",
            "path-route",
            "path-deliver",
            "path-notify",
        ],
    ),
    (
        "path-watch",
        &["GROUND", "WIRE", "path-ledger", "path-notify"],
    ),
    ("access-mailbox", &["GROUND", "WIRE", "path-ledger"]),
    (
        "access-admin",
        &[
            "GROUND",
            "WIRE",
            "path-ledger",
            "path-route",
            "path-watch",
            "path-accept",
        ],
    ),
    ("postrider", &["ALL"]),
    ("testkit", &["ALL"]),
    ("postrider-bench", &[]),
];

/// Floors as prefixes.
fn allowed(list: &[&str], import: &str) -> bool {
    list.iter().any(|entry| match *entry {
        "ALL" => import != "testkit" && import != "postrider-bench",
        "GROUND" => import.starts_with("ground-"),
        "WIRE" => import.starts_with("wire-"),
        name => name == import,
    })
}

/// For each crate of the workspace, its imports among our own crates (not those of its tests).
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let out = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    let metadata: serde_json::Value =
        serde_json::from_slice(&out.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let names: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let ours = |package: &serde_json::Value| {
        let dependencies = package["dependencies"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let normal = dependencies.iter().filter(|d| d["kind"].is_null());
        let found = normal
            .filter_map(|d| d["name"].as_str())
            .filter(|name| names.contains(name));
        found.map(str::to_owned).collect()
    };
    packages
        .iter()
        .map(|p| (p["name"].as_str().unwrap_or_default().to_owned(), ours(p)))
        .collect()
}

#[test]
fn every_import_goes_down_the_floors() {
    let table: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, imports) in imports() {
        let Some(list) = table.get(name.as_str()) else {
            wrong.push(format!("{name} is not in the table: give it its place"));
            continue;
        };
        for import in imports.iter().filter(|import| !allowed(list, import)) {
            wrong.push(format!("{name} may not import {import}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_crate_of_the_table_exists() {
    let found = imports();
    let missing: Vec<_> = MAY_IMPORT
        .iter()
        .filter(|(name, _)| !found.contains_key(*name))
        .collect();
    assert!(
        missing.is_empty(),
        "in the table but not in the workspace: {missing:?}"
    );
}
