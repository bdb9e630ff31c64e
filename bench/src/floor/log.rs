//! A log with group commit: one thread writes everything that waits, flushes once, answers all.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread;

use anyhow::Context;
use bytes::Bytes;
use tokio::sync::oneshot;

/// Records in one flush at most: bounds the wait of the first of them.
const BATCH: usize = 1024;

/// The writing end; its thread ends with it.
pub struct Log {
    records: std_mpsc::Sender<Record>,
}

struct Record {
    parts: [Bytes; 2],
    kept: oneshot::Sender<Result<(), Arc<io::Error>>>,
}

impl Log {
    /// Opens or creates the log and starts its thread.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        let (records, waiting) = std_mpsc::channel();
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(file, &waiting))?;
        Ok(Self { records })
    }

    /// Returns when the record is on the disk.
    pub async fn keep(&self, parts: [Bytes; 2]) -> anyhow::Result<()> {
        let (kept, answer) = oneshot::channel();
        let gone = || anyhow::anyhow!("the log has ended");
        self.records
            .send(Record { parts, kept })
            .map_err(|_| gone())?;
        let result = answer.await.map_err(|_| gone())?;
        result.map_err(|error| anyhow::anyhow!("cannot write the log: {error}"))
    }
}

fn write_all(mut file: File, waiting: &std_mpsc::Receiver<Record>) {
    let mut bytes = Vec::new();
    while let Ok(first) = waiting.recv() {
        let more = waiting.try_iter().take(BATCH - 1);
        let batch: Vec<Record> = std::iter::once(first).chain(more).collect();
        bytes.clear();
        for part in batch.iter().flat_map(|record| &record.parts) {
            bytes.extend_from_slice(part);
        }
        let flushed = file
            .write_all(&bytes)
            .and_then(|()| file.sync_data())
            .map_err(Arc::new);
        for record in batch {
            // A session that has gone needs no answer.
            drop(record.kept.send(flushed.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_kept_record_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = Log::open(&path).unwrap();
        let part = Bytes::from_static;
        let (one, two) = tokio::join!(
            log.keep([part(b"a "), part(b"1\n")]),
            log.keep([part(b"b "), part(b"2\n")])
        );
        one.and(two).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a 1\nb 2\n");
    }
}
