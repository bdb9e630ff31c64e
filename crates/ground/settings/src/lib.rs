//! Every setting, defined once: name, type, unit, default, documentation and check.
//!
//! For what: the configuration file (TOML) becomes a [`Settings`], or a list of every [`Problem`] in it, each with its
//! line, its name, what is wrong and what to do. The reference manual ([`manual`]) comes from the same definitions.
//!
//! Never: it touches no file, clock or socket; it takes text and gives values. Relative paths stay as written until
//! somebody who knows the file's folder resolves them ([`Store::resolve`], [`Settings::data_directory`]).
//!
//! The way through: [`Settings::parse`] reads the TOML tree, keeping the place of each value; each module under
//! `section/` lists its settings in one `section!` block, from which come the struct, its `Default`, its reader and
//! its page of the manual; `form/` holds the ways a value can be written; `agree.rs` compares sections with each other;
//! `fact.rs` shows the values that hold, and what two readings differ in; `edit.rs` changes a file's text and leaves its
//! comments alone.
//!
//! Limits: a default gives way to what the operator wrote, and never contradicts it; names are matched exactly, and near misses suggested.

mod agree;
mod define;
mod edit;
mod fact;
mod form;
mod manual;
mod problem;
mod read;
mod section;
mod syntax;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use toml::de::DeTable;

pub use edit::{Change, KEPT, conceal, edit, reveal};
pub use fact::{Difference, Fact, SectionFacts};
pub use form::{
    AddressSpace, Cidr, Detour, Endpoint, Hostname, NextHop, Period, Secret, Secured, Shape, Size,
    Specificity, Store, WebAddress,
};
pub use manual::manual;
pub use problem::{Fault, Problem};
pub use section::{
    Alarms, Auth, AuthenticatedSender, Connector, ConnectorTls, Delivery, Dns, LatePolicy, Level,
    Limits, Listener, ListenerTls, Log, LogFormat, Logins, Protocol, Queue, Schedule, Server,
    Storage, Telemetry, Test, Timeouts, Tls, Transport, Watch,
};

use define::Section;
use manual::Page;
use read::{Fields, Places};

/// Lists the sections once: the struct, its reader and the order of the manual come from here.
macro_rules! settings {
    ( $( $(#[$doc:meta])+ $shape:ident $field:ident: $type:ident, )+ ) => {
        /// Everything an operator can set.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Settings {
            $( $(#[$doc])+ pub $field: settings!(@type $shape $type), )+
        }

        /// Where each section stands in the file.
        struct Locations {
            $( #[allow(dead_code, reason = "not every section is compared with another")]
               $field: settings!(@places $shape), )+
        }

        fn read_sections(root: &mut Fields<'_, '_>) -> (Settings, Locations) {
            $( let $field = settings!(@read $shape $type root); )+
            (
                Settings { $( $field: $field.0, )+ },
                Locations { $( $field: $field.1, )+ },
            )
        }

        impl Settings {
            /// Every section with the values that hold, in the order of the manual.
            pub fn facts(&self) -> Vec<SectionFacts> {
                let mut facts = Vec::new();
                $( settings!(@facts $shape facts, self.$field, settings!(@heading $shape $type)); )+
                facts
            }

            /// What `new` has otherwise, in the order of the manual.
            pub fn differences(&self, new: &Self) -> Vec<Difference> {
                let mut differences = Vec::new();
                $( settings!(@differences $shape differences, self.$field, new.$field); )+
                differences
            }
        }

        /// Every section with its settings, in the order of the manual.
        fn catalogue() -> Vec<Page> {
            vec![ $( Page::new::<$type>(settings!(@heading $shape $type)), )+ ]
        }
    };
    (@type many $type:ident) => { Vec<$type> };
    (@type $shape:ident $type:ident) => { $type };
    (@places many) => { Vec<Places> };
    (@places $shape:ident) => { Places };
    (@read top $type:ident $root:ident) => { ($type::read($root), Places::default()) };
    (@read one $type:ident $root:ident) => { $root.one::<$type>() };
    (@read many $type:ident $root:ident) => { $root.many::<$type>() };
    (@facts many $facts:ident, $field:expr, $heading:expr) => {
        for section in &$field {
            $facts.push(fact::of(section, $heading));
        }
    };
    (@facts $shape:ident $facts:ident, $field:expr, $heading:expr) => {
        $facts.push(fact::of(&$field, $heading));
    };
    (@differences many $found:ident, $old:expr, $new:expr) => {
        fact::many_differ(&$old, &$new, &mut $found);
    };
    (@differences $shape:ident $found:ident, $old:expr, $new:expr) => {
        fact::one_differs(&$old, &$new, &mut $found);
    };
    (@heading top $type:ident) => { "The top of the file".to_owned() };
    (@heading one $type:ident) => { format!("[{}]", $type::NAME) };
    (@heading many $type:ident) => { format!("[[{}]]", $type::NAME) };
}

settings! {
    /// The top of the file.
    top server: Server,
    /// Every `[[listener]]`.
    many listeners: Listener,
    /// Every `[[connector]]`.
    many connectors: Connector,
    /// `[queue]`
    one queue: Queue,
    /// `[dns]`
    one dns: Dns,
    /// `[tls]`
    one tls: Tls,
    /// `[limits]`
    one limits: Limits,
    /// `[logins]`
    one logins: Logins,
    /// `[timeouts]`
    one timeouts: Timeouts,
    /// `[delivery]`
    one delivery: Delivery,
    /// `[storage]`
    one storage: Storage,
    /// `[watch]`
    one watch: Watch,
    /// `[alarms]`
    one alarms: Alarms,
    /// `[telemetry]`
    one telemetry: Telemetry,
    /// `[log]`
    one log: Log,
    /// `[test]`
    one test: Test,
}

impl Settings {
    /// Reads a configuration file's text, or says everything that is wrong with it, in the order of the file.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut found = Vec::new();
        let mut root = Fields::new("", 0, document.get_ref(), &mut found);
        let (settings, locations) = read_sections(&mut root);
        root.finish();
        agree::agree(&settings, &locations, &mut found);
        syntax::merge(&errors, text, &mut found);
        if found.is_empty() {
            return Ok(settings);
        }
        found.sort_by_key(|found| found.at);
        Err(found.into_iter().map(|found| found.locate(text)).collect())
    }

    /// This node's name: as set, or the hostname.
    pub fn node_name(&self) -> &str {
        let own = self.server.node.as_deref();
        own.unwrap_or_else(|| self.server.hostname.as_str())
    }

    /// The folder for what is not in the database; `folder` is the folder of the configuration file.
    pub fn data_directory(&self, folder: &Path) -> PathBuf {
        if let Some(own) = &self.server.data_directory {
            return folder.join(own);
        }
        match self.server.store.resolve(folder) {
            Store::Sqlite(path) => path.parent().map_or_else(PathBuf::new, Path::to_path_buf),
            Store::Postgres(_) => folder.join("data"),
        }
    }
}
