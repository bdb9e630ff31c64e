//! How the store is driven.

use crate::define::{always, default, range, section};
use crate::form::{Size, kib, mb};

section! {
    /// How the store is driven. Flushing before 250 is not a setting.
    pub struct Storage = "storage", always;

    /// Bytes that one group commit takes at most.
    group_commit_bytes: Size = default(mb(4)), range(kib(64), mb(1000));

    /// Commands that one group commit takes at most.
    group_commit_count: u32 = default(512), range(1, 100_000).of("commands");

    /// Largest body kept inside the database; a larger one streams to a file.
    inline_body: Size = default(kib(256)), range(Size(0), mb(64));

    /// Connections that only read.
    readers: u32 = default(4), range(1, 256).of("connections");
}
