//! Scripted peers, fake DNS and the scenario runner, for tests only.
