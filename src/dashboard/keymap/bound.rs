//! The keys as they are bound: the table, with what a user changed of it.
//!
//! Owns [`Keymap`] and [`Clash`]. Pure.

use std::collections::BTreeSet;
use std::fmt;

use super::names::{self, Named};
use super::{Action, BINDINGS, Binding};
use crate::dashboard::message::Key;
use crate::dashboard::model::Screen;

/// Which key does what.
#[derive(Clone, Debug)]
pub struct Keymap {
    rows: Vec<Row>,
}

/// Some keys, and what they do.
#[derive(Clone, Debug)]
pub struct Row {
    binding: &'static Binding,
    keys: Vec<(Key, Action)>,
    /// How the keys are written, where a user changed them.
    changed: Option<String>,
}

/// A key that would do two things on one screen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clash {
    /// The key as it is shown.
    pub key: String,
    /// The actions, by their names.
    pub actions: [&'static str; 2],
    /// On which screen.
    pub screen: &'static str,
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, other] = self.actions;
        write!(
            f,
            "{} would be both {one} and {other} on the {} screen; give one of them another key",
            self.key, self.screen
        )
    }
}

impl Default for Keymap {
    fn default() -> Self {
        let rows = BINDINGS.iter().map(|binding| Row { binding, keys: binding.keys.to_vec(), changed: None });
        Self { rows: rows.collect() }
    }
}

impl Keymap {
    /// The table with other keys for some actions, wherever they have keys.
    ///
    /// # Errors
    /// If a key would do two things on one screen.
    pub fn with(changes: &[(Named, Vec<Key>)]) -> Result<Self, Vec<Clash>> {
        let mut keymap = Self::default();
        for (named, keys) in changes {
            let rows = keymap.rows.iter_mut().filter(|row| named.holds(row.is_of_search()));
            rows.for_each(|row| row.bind(named.action, keys));
        }
        let clashes: BTreeSet<Clash> =
            Screen::ALL.into_iter().flat_map(|screen| keymap.clashes(screen)).collect();
        // The same two actions once, however many screens have them.
        let mut told = BTreeSet::new();
        let clashes: Vec<Clash> =
            clashes.into_iter().filter(|one| told.insert((one.key.clone(), one.actions))).collect();
        if clashes.is_empty() { Ok(keymap) } else { Err(clashes) }
    }

    fn clashes(&self, screen: Screen) -> Vec<Clash> {
        let all: Vec<(Key, Action)> = self.on(screen).flat_map(|row| row.keys.iter().copied()).collect();
        let twice = all.iter().enumerate().filter_map(|(place, (key, action))| {
            let (_, before) = all.iter().take(place).find(|(other, _)| other == key)?;
            (before != action).then(|| Clash {
                key: key.to_string(),
                actions: [*before, *action].map(|action| names::name(action, screen == Screen::Middlebox)),
                screen: screen.name(),
            })
        });
        twice.collect()
    }

    /// What a key does on a screen.
    pub fn action(&self, screen: Screen, key: Key) -> Option<Action> {
        let keys = self.on(screen).flat_map(|row| &row.keys);
        keys.into_iter().find(|(bound, _)| *bound == key).map(|(_, action)| *action)
    }

    /// The rows of a screen that have keys.
    pub fn on(&self, screen: Screen) -> impl Iterator<Item = &Row> {
        let here = move |row: &&Row| row.binding.is_on(screen) && !row.keys.is_empty();
        self.rows.iter().filter(here)
    }

    /// The keys for an action, where it first has any.
    pub fn keys(&self, named: Named) -> Vec<Key> {
        let keys = |row: &Row| -> Vec<Key> {
            let own = row.keys.iter().filter(|(_, action)| *action == named.action);
            own.map(|(key, _)| *key).collect()
        };
        let rows = self.rows.iter().filter(|row| named.holds(row.is_of_search()));
        rows.map(keys).find(|keys| !keys.is_empty()).unwrap_or_default()
    }

    /// The first key for an action on a screen, as messages name it; a dash where it has none.
    pub fn key(&self, screen: Screen, action: Action) -> String {
        let mut keys = self.on(screen).flat_map(|row| &row.keys);
        let found = keys.find(|(_, bound)| *bound == action);
        found.map_or_else(|| "-".to_owned(), |(key, _)| key.to_string())
    }
}

impl Row {
    /// Whether only the screen of a search has it.
    fn is_of_search(&self) -> bool {
        self.binding.screens == [Screen::Middlebox]
    }

    /// Gives an action other keys, in the place of its first one.
    fn bind(&mut self, action: Action, keys: &[Key]) {
        let Some(place) = self.keys.iter().position(|(_, bound)| *bound == action) else { return };
        self.keys.retain(|(_, bound)| *bound != action);
        let place = place.min(self.keys.len());
        self.keys.splice(place..place, keys.iter().map(|key| (*key, action)));
        let shown: Vec<String> = self.keys.iter().map(|(key, _)| key.to_string()).collect();
        self.changed = Some(shown.join(" "));
    }

    /// How the keys are written.
    pub fn shown(&self) -> &str {
        self.changed.as_deref().unwrap_or(self.binding.shown)
    }

    /// What they do, in a few words.
    pub fn words(&self) -> &str {
        // What these say of other keys holds for the table as it is built in.
        let words = self.binding.words;
        let also = words.find(" (also ").filter(|_| self.changed.is_some());
        also.and_then(|place| words.get(..place)).unwrap_or(words)
    }

    /// The shortest form, for the bottom line; empty if it does not stand there.
    pub fn short(&self) -> &'static str {
        self.binding.short
    }
}
