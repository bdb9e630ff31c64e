//! The terminal itself: taken and always given back, also on a panic; and its keys.

use std::io::{self, Stdout};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::prelude::CrosstermBackend;
use ratatui::{Frame, Terminal};
use tokio::sync::mpsc;

use super::machine::{Input, Key};

/// The terminal while it is ours. A panic gives it back before it is told (`ratatui::try_init` sees to that).
pub(super) struct Screen(Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self(terminal)),
            Err(error) => {
                ratatui::restore();
                Err(error)
            }
        }
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(draw).map(|_drawn| ())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Tells of keys, until nobody listens any more. A thread of its own: reading a terminal blocks, and nothing may wait for it.
pub(super) fn read_keys(tell: mpsc::Sender<Input>) {
    std::thread::spawn(move || {
        loop {
            let key = match event::read() {
                Ok(event) => key_of(&event),
                // The terminal is gone.
                Err(_) => Some(Key::Interrupt),
            };
            let told = key.map(|key| tell.blocking_send(Input::Key(key)));
            if key == Some(Key::Interrupt) || matches!(told, Some(Err(_))) {
                return;
            }
        }
    });
}

fn key_of(event: &Event) -> Option<Key> {
    let key = event.as_key_event()?;
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    if key.kind == KeyEventKind::Release {
        return None;
    }
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a keyboard has more keys than we use"
    )]
    match key.code {
        KeyCode::Char('c') if control => Some(Key::Interrupt),
        KeyCode::Char(letter) if !control => Some(Key::Char(letter)),
        KeyCode::Enter => Some(Key::Enter),
        KeyCode::Esc => Some(Key::Escape),
        KeyCode::Backspace => Some(Key::Backspace),
        KeyCode::Up => Some(Key::Up),
        KeyCode::Down => Some(Key::Down),
        KeyCode::PageUp => Some(Key::PageUp),
        KeyCode::PageDown => Some(Key::PageDown),
        KeyCode::Home => Some(Key::Home),
        KeyCode::End => Some(Key::End),
        _ => None,
    }
}
