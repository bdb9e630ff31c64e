//! Octets of the disk are changed behind the server's back, as by a failing disk or a hex editor: what they belong to is
//! listed as damaged and can be handed out, everything else is delivered, and the audit says so.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde_json::Value;

use super::house::{CONFIGURATION, House};

/// Changes the octet `at` octets behind the beginning of every `found` in a file. There is one at least.
fn corrupt(file: &Path, found: &[u8], at: usize, octet: u8) {
    let mut content = Vec::new();
    let mut file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    file.read_to_end(&mut content).unwrap();
    let places = content.windows(found.len()).enumerate();
    let places: Vec<_> = places.filter(|(_, part)| *part == found).collect();
    assert!(!places.is_empty(), "{:?}", String::from_utf8_lossy(found));
    for (place, _) in places {
        let place = u64::try_from(place + at).unwrap();
        file.seek(SeekFrom::Start(place)).unwrap();
        file.write_all(&[octet]).unwrap();
    }
}

struct Disk {
    house: House,
}

impl Disk {
    /// Some mail for people here, which nobody has delivered yet, in a store that nobody has open.
    fn with_mail(people: &[&str]) -> Disk {
        let house = House::new();
        house.write(&format!(
            "{CONFIGURATION}[queue]\ndelay_notice = [\"10m\"]\n"
        ));
        house.people();
        let disk = Disk { house };
        for name in people {
            let account = format!("{name}@example.test");
            disk.house.ok(&["account", "add", &account, "--no-login"]);
            disk.send(name, &format!("a letter to {name}"));
        }
        disk
    }

    fn send(&self, name: &str, text: &str) {
        let (to, text) = (
            format!("{name}@example.test"),
            format!("Subject: {name}\r\n\r\n{text}"),
        );
        let arguments = ["sendmail", "-f", "alice@example.test", &to];
        let sent = self.house.run_with(&arguments, &text);
        assert!(sent.status.success(), "{sent:?}");
    }

    fn corrupt(&self, found: &[u8], at: usize, octet: u8) {
        let file = self.house.folder.path().join("data/postrider.db");
        // What stands in the log yet goes into the database, where the next reader looks for it.
        let database = rusqlite::Connection::open(&file).unwrap();
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        database.query_row(checkpoint, [], |_| Ok(())).unwrap();
        drop(database);
        corrupt(&file, found, at, octet);
    }

    /// The rows of a listing of whatever is still on the way.
    fn waiting(&self) -> Vec<Value> {
        self.house.json(&["queue", "list"])
    }

    fn mails(&self, name: &str) -> usize {
        let account = format!("{name}@example.test");
        self.house.json(&["mail", "list", &account]).len()
    }

    /// What the audit names as damaged.
    fn damaged(&self) -> Vec<String> {
        let output = self.house.run(&["audit", "--json"]);
        let audit: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(audit["difference"], 0, "{audit}");
        let findings = audit["findings"].as_array().unwrap().iter();
        let damaged = findings.filter(|finding| finding["kind"] == "damaged");
        let damaged = damaged.map(|finding| finding["detail"].as_str().unwrap().to_owned());
        let damaged: Vec<_> = damaged.collect();
        assert_eq!(output.status.success(), damaged.is_empty(), "{audit}");
        damaged
    }
}

#[test]
fn a_row_and_bodies_corrupted_on_disk_are_held_listed_and_handed_out_and_all_else_is_delivered() {
    let disk = Disk::with_mail(&["row", "small", "large", "ann", "bob", "cleo"]);
    let long = "And so it went on, line by line.\r\n".repeat(12_000);
    disk.send("large", &format!("{long}THE END OF A LONG LETTER\r\n"));
    let ids: Vec<(String, String)> = disk
        .waiting()
        .iter()
        .map(|row| {
            (
                row["recipient"].as_str().unwrap().to_owned(),
                row["id"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let id = |name: &str| {
        let of = ids.iter().rev().find(|(to, _)| to.starts_with(name));
        of.unwrap().1.clone()
    };
    // An address that is no text any more, an octet of a body in the database, and one of a body in a file.
    disk.corrupt(b"row@example.testqueuedmailbox", 1, 0xff);
    disk.corrupt(b"a letter to small", 2, b'L');
    let files =
        std::fs::read_dir(disk.house.folder.path().join("data/postrider.db-bodies")).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    corrupt(&files[0], b"THE END OF", 0, b't');
    assert_eq!(
        disk.damaged().len(),
        1,
        "the row is found without being due"
    );

    let mut served = disk.house.serve(&["serve"]);
    served.listening("mx");
    let damaged = disk.house.until(&["queue", "list"], |rows| {
        rows.len() == 3 && rows.iter().all(|row| row["state"] == "held")
    });
    for name in ["ann", "bob", "cleo"] {
        assert_eq!(disk.mails(name), 1, "{name}");
    }
    // The letter to large that is whole.
    assert_eq!((disk.mails("large"), disk.mails("small")), (1, 0));
    assert_eq!(disk.damaged().len(), 3, "{:#?}", disk.damaged());
    for row in &damaged {
        let id = row["id"].as_str().unwrap();
        let recipient = row["recipient_id"].as_str().unwrap();
        assert!(row["reason"].as_str().unwrap().contains("damaged"), "{row}");
        assert!(disk.damaged().iter().any(|named| named.contains(recipient)));
        let story = disk.house.json(&["trace", id]);
        assert_eq!(story[0]["recipients"][0]["state"], "held");
        let why = disk.house.json(&["explain", id]);
        let why = &why[0]["recipients"][0];
        assert_eq!(why["reason"], "held_damaged", "{why}");
        let raw = disk
            .house
            .json(&["inspect", "rows", "recipient", recipient]);
        assert_eq!(raw[0]["state"], "held", "{raw:?}");
    }
    // The row's body is whole, and is handed out; those that are not are named.
    disk.house.ok(&["export", &id("row")]);
    let file = disk.house.folder.path().join(format!("{}.eml", id("row")));
    assert!(
        std::fs::read_to_string(file)
            .unwrap()
            .contains("a letter to row")
    );
    for name in ["small", "large"] {
        let refused = disk.house.run(&["export", &id(name)]);
        assert!(!refused.status.success(), "{name}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            said.contains("not what was stored") || said.contains("damaged"),
            "{said}"
        );
    }
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_state_that_is_no_word_any_more_is_held_and_ends_in_time() {
    let disk = Disk::with_mail(&["ann", "bob"]);
    disk.corrupt(
        b"ann@example.testqueuedmailbox",
        "ann@example.testqueue".len(),
        b'e',
    );
    let listed = disk.waiting();
    assert_eq!(listed.len(), 2, "{listed:#?}");
    assert_eq!(disk.damaged().len(), 1);
    let mut served = disk.house.serve(&["serve"]);
    served.listening("mx");
    disk.house
        .until(&["mail", "list", "bob@example.test"], |mails| {
            mails.len() == 1
        });
    let held = |rows: &[Value]| {
        rows.len() == 1
            && rows[0]["state"] == "held"
            && rows[0]["reason"].as_str().unwrap().contains("damaged: ")
    };
    disk.house.ok(&["clock", "advance", "11m"]);
    // By its own word: listed as held it is before it is.
    disk.house
        .until(&["queue", "list", "--state", "held"], held);
    disk.house.ok(&["clock", "advance", "4d"]);
    disk.house.until(&["queue", "list"], |rows| rows.is_empty());
    // Held, its row is whole again: its sender is told.
    let back = disk.house.json(&["queue", "list", "--state", "returned"]);
    assert_eq!(back.len(), 1, "{back:#?}");
    disk.house
        .until(&["mail", "list", "alice@example.test"], |mails| {
            mails.len() == 1
        });
    assert_eq!(served.stop(), Some(0));
}
