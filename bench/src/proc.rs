//! What the kernel knows of a server: CPU, writes and memory of a process and all its descendants.
//!
//! Processes that have ended count too: the kernel adds their CPU time (`cutime`, `cstime`) and their writes to those
//! of the parent that waited for them, and every server here waits for its children.

use std::collections::HashMap;
use std::fs;
use std::ops::Sub;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

/// Sums over a process and its descendants since they started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU time, user and system.
    pub cpu: Duration,
    /// Bytes these processes caused to be written to storage (`write_bytes`). Without the file system's journal.
    pub written: u64,
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            written: self.written.saturating_sub(earlier.written),
        }
    }
}

/// One line of /proc/PID/stat, as far as we need it. Times in clock ticks.
#[derive(Debug, PartialEq)]
struct Stat {
    parent: u32,
    ticks: u64,
}

/// What the tree below `root` has used so far.
pub fn usage(root: u32) -> anyhow::Result<Usage> {
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    let mut usage = Usage::default();
    for (pid, stat) in tree(root)? {
        usage.cpu += Duration::from_millis(stat.ticks * 1000 / ticks_per_second);
        // A process that ends while we look has handed its sums to its parent; the next reading has them.
        if let Ok(io) = fs::read_to_string(format!("/proc/{pid}/io")) {
            usage.written += field(&io, "write_bytes:").unwrap_or(0);
        }
    }
    Ok(usage)
}

/// The memory of the tree below `root` in bytes: proportional set sizes, so that shared pages count once.
pub fn memory(root: u32) -> anyhow::Result<u64> {
    let mut kilobytes = 0;
    for pid in tree(root)?.keys() {
        if let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
            kilobytes += field(&rollup, "Pss:").unwrap_or(0);
        }
    }
    Ok(kilobytes * 1024)
}

/// Bytes written so far to the disk that holds `path`, by everybody: journal and metadata included.
pub fn disk_written(path: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let device = fs::metadata(path)
        .with_context(|| format!("cannot look at {}", path.display()))?
        .dev();
    let statistics = fs::read_to_string("/proc/diskstats")?;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    parse_diskstats(&statistics, major, minor)
        .with_context(|| format!("no disk {major}:{minor} in /proc/diskstats"))
}

/// `root` and its descendants.
fn tree(root: u32) -> anyhow::Result<HashMap<u32, Stat>> {
    let mut all = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if let Ok(line) = fs::read_to_string(format!("/proc/{pid}/stat")) {
            let stat = parse_stat(&line);
            all.insert(pid, stat.with_context(|| format!("odd line: {line}"))?);
        }
    }
    Ok(descendants(all, root))
}

fn descendants(mut all: HashMap<u32, Stat>, root: u32) -> HashMap<u32, Stat> {
    let mut found = HashMap::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        if let Some(stat) = all.remove(&pid) {
            found.insert(pid, stat);
            next.extend(all.iter().filter(|(_, s)| s.parent == pid).map(|(p, _)| *p));
        }
    }
    found
}

/// Reads parent (field 4) and utime + stime + cutime + cstime (fields 14 to 17). The name in field 2 may hold anything,
/// blanks and brackets too, so the fields are counted from its last closing bracket.
fn parse_stat(line: &str) -> Option<Stat> {
    let (_, rest) = line.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        parent: number(4)?.try_into().ok()?,
        ticks: number(14)? + number(15)? + number(16)? + number(17)?,
    })
}

/// The first number after `name` at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Sectors written (field 10) of one device, in bytes; a sector is 512 bytes here whatever the disk's own.
fn parse_diskstats(text: &str, major: u32, minor: u32) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let is_ours = fields.next()?.parse() == Ok(major) && fields.next()?.parse() == Ok(minor);
        let sectors: u64 = fields.nth(7)?.parse().ok()?;
        is_ours.then_some(sectors * 512)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_brackets_does_not_shift_the_fields() {
        let rest = "S 7 1 1 0 -1 4194560 1 2 3 4 10 20 300 4000 20 0 1 0 99";
        for name in ["master", "a b) S 9 (c", "((", ")"] {
            let stat = parse_stat(&format!("42 ({name}) {rest}"));
            let expected = Stat {
                parent: 7,
                ticks: 4330,
            };
            assert_eq!(stat, Some(expected), "{name}");
        }
        assert_eq!(parse_stat("42 (cut"), None);
        assert_eq!(parse_stat("42 (cut) S 7 1"), None);
    }

    #[test]
    fn numbers_are_read_from_the_line_that_starts_with_their_name() {
        let io = "wchar: 5\nwrite_bytes: 8192\ncancelled_write_bytes: 7\n";
        assert_eq!(field(io, "write_bytes:"), Some(8192));
        assert_eq!(
            field("Pss:     381 kB\nPss_Dirty: 1 kB\n", "Pss:"),
            Some(381)
        );
        assert_eq!(field(io, "absent:"), None);
    }

    #[test]
    fn the_disk_is_found_by_its_number_and_counted_in_bytes() {
        let text = "   7       0 loop0 1 1 1 1 1 1 1 1 0 0 0\n 254       0 vda 5 6 7 8 9 10 11 12 0 13 14\n";
        assert_eq!(parse_diskstats(text, 254, 0), Some(11 * 512));
        assert_eq!(parse_diskstats(text, 254, 1), None);
    }

    #[test]
    fn a_tree_holds_all_descendants_and_no_one_else() {
        let stat = |parent| Stat { parent, ticks: 1 };
        let all = [(1, 0), (2, 1), (3, 2), (4, 1), (5, 3)];
        let found = descendants(all.map(|(pid, parent)| (pid, stat(parent))).into(), 2);
        let mut pids: Vec<_> = found.into_keys().collect();
        pids.sort_unstable();
        assert_eq!(pids, [2, 3, 5]);
    }

    #[test]
    fn our_own_work_shows_in_our_own_reading() {
        let before = usage(std::process::id()).unwrap();
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(60) {
            std::hint::black_box(begun);
        }
        let used = usage(std::process::id()).unwrap() - before;
        assert!(used.cpu >= Duration::from_millis(10), "{used:?}");
        assert!(memory(std::process::id()).unwrap() > 100_000);
    }
}
