//! What the configuration file says of the screen: keys, columns, times, the mouse, and how peers are probed.

use super::Bindings;
use super::key::Screen;
#[cfg(feature = "dashboard")]
use super::{Acts, Settings};

/// A build without a screen takes what one with a screen judges.
#[cfg(not(feature = "dashboard"))]
pub(super) fn check(_: Screen, _: &[String]) -> Result<(), String> {
    Ok(())
}

#[cfg(not(feature = "dashboard"))]
impl Bindings {
    /// See [`check`].
    pub(super) fn read(_: &str, _: &[String]) -> Result<Self, String> {
        Ok(Self {})
    }

    /// See [`check`].
    pub(super) fn clashes(_: &[Bindings]) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(feature = "dashboard")]
pub(super) use with_screen::check;

#[cfg(feature = "dashboard")]
mod with_screen {
    use super::super::quoted;
    use super::{Acts, Bindings, Screen, Settings};
    use crate::dashboard::columns::{Column, Columns};
    use crate::dashboard::keymap::{Keymap, Named};
    use crate::dashboard::live::Manner;
    use crate::dashboard::message::Key;
    use crate::dashboard::model::{Model, TimeFormat};
    use crate::dashboard::replay::Speed;
    use crate::dashboard::theme::Theme;
    use crate::stack::nearest;

    const TIMES: [(&str, TimeFormat); 3] =
        [("since_start", TimeFormat::Relative), ("utc", TimeFormat::Utc), ("delta", TimeFormat::Delta)];

    /// Whether the screen takes these values.
    pub(in crate::cli::settings) fn check(screen: Screen, values: &[String]) -> Result<(), String> {
        match screen {
            Screen::Mouse => Ok(()),
            Screen::Columns => columns(values).map(drop),
            Screen::Times => values.iter().try_for_each(|value| times(value).map(drop)),
        }
    }

    fn columns(names: &[String]) -> Result<Columns, String> {
        let column = |name: &String| {
            Column::ALL
                .into_iter()
                .find(|column| column.name() == name)
                .ok_or_else(|| unknown(name, Column::ALL.iter().map(|column| column.name())))
        };
        names.iter().map(column).collect::<Result<Vec<_>, _>>().map(|columns| Columns::of(&columns))
    }

    fn times(name: &str) -> Result<TimeFormat, String> {
        let found = TIMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, times)| *times).ok_or_else(|| unknown(name, TIMES.iter().map(|(known, _)| *known)))
    }

    fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
        let near = nearest(name, known.clone()).map(|near| format!("; did you mean {near}?"));
        let all = known.collect::<Vec<_>>().join(", ");
        format!("{name:?} is none of {all}{}", near.unwrap_or_default())
    }

    impl Bindings {
        /// The keys for an action.
        ///
        /// # Errors
        /// If there is no such action or no such key.
        pub(in crate::cli::settings) fn read(action: &str, keys: &[String]) -> Result<Self, String> {
            let action = Named::find(action).map_err(|near| {
                let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                format!(
                    "keys: there is no action {action:?}{near} (`keepscope config example` lists them all)"
                )
            })?;
            let keys = keys.iter().map(|key| Key::read(key));
            let keys = keys.collect::<Result<Vec<_>, _>>().map_err(|problem| format!("keys: {problem}"))?;
            Ok(Self { action, keys })
        }

        /// The keys that would do two things on one screen.
        pub(in crate::cli::settings) fn clashes(all: &[Bindings]) -> Vec<String> {
            match keymap(all) {
                Ok(_) => Vec::new(),
                Err(clashes) => clashes.iter().map(|clash| format!("keys: {clash}")).collect(),
            }
        }
    }

    fn keymap(all: &[Bindings]) -> Result<Keymap, Vec<crate::dashboard::keymap::Clash>> {
        let changes: Vec<_> = all.iter().map(|one| (one.action, one.keys.clone())).collect();
        Keymap::with(&changes)
    }

    impl Settings {
        /// A screen as the user wants it.
        pub(in crate::cli) fn model(&self, theme: Theme, speed: Speed) -> Model {
            let mut model = Model::new((80, 24), theme, speed);
            // Both were judged when they were read.
            model.keys = keymap(&self.bindings).unwrap_or_default();
            for (given, _) in &self.given {
                let first = given.values.first().map(String::as_str).unwrap_or_default();
                match given.key.acts {
                    Acts::Screen(Screen::Mouse) => model.choices.mouse = first == "true",
                    Acts::Screen(Screen::Columns) => {
                        model.choices.columns = columns(&given.values).unwrap_or_default();
                    }
                    Acts::Screen(Screen::Times) => {
                        model.choices.times = times(first).unwrap_or(TimeFormat::Relative);
                    }
                    Acts::Option(..) => {}
                }
            }
            model.manner = self.manner().unwrap_or_default();
            model
        }

        /// The keys of every action as a file has them, and whether somebody changed them.
        pub(in crate::cli) fn keys(&self) -> Vec<(&'static str, String, bool)> {
            let keymap = keymap(&self.bindings).unwrap_or_default();
            let line = |named: &Named| {
                let keys = keymap.keys(*named);
                let quoted = |key: &Key| quoted(&key.written());
                let list: Vec<String> = keys.iter().map(quoted).collect();
                let changed = self.bindings.iter().any(|one| one.action == *named);
                let value = match list.as_slice() {
                    [only] => only.clone(),
                    list => format!("[{}]", list.join(", ")),
                };
                (named.name, value, changed)
            };
            Named::all().iter().map(line).collect()
        }

        /// Whether the screen draws with ASCII only, where there is no option.
        pub(in crate::cli) fn ascii(&self) -> bool {
            self.value("screen.ascii").is_some_and(|values| values == ["true"])
        }

        /// How peers are probed that are named on the screen alone.
        ///
        /// # Errors
        /// If what was set does not go together.
        pub(in crate::cli) fn manner(&self) -> Result<Manner, String> {
            let words = ["idle", "interval", "count", "octets"].into_iter().filter_map(|name| {
                let value = self.value(&format!("probe.{name}"))?.first()?;
                Some(format!("{name}={value}"))
            });
            let words: Vec<String> = words.collect();
            Manner::default().changed(words.iter().map(String::as_str))
        }
    }
}
