//! The JSON document of the table.

use std::io::{self, Write};

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::Rows;
use crate::report::number::Seconds;
use crate::stack::value::{Datum, Value};
use crate::stack::{Group, Preset, Requirement, Shown, SocketOption, Source, Stack};

const SCHEMA: &str = "keepscope.stacks/1";

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    stacks: Vec<StackModel>,
    applications: Vec<PresetModel>,
    requirements: Vec<RequirementModel>,
}

#[derive(Serialize)]
struct StackModel {
    name: &'static str,
    title: &'static str,
    aliases: &'static [&'static str],
    runs: bool,
    #[serde(flatten)]
    groups: Groups,
    options: OptionsModel,
}

/// The groups of a row, each under its own name.
pub(in crate::report) struct Groups(pub(in crate::report) Vec<Group>);

impl Serialize for Groups {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for group in &self.0 {
            map.serialize_entry(group.name, &Cells(&group.cells))?;
        }
        map.end()
    }
}

/// Cells, each under the name of its column.
struct Cells<'a>(&'a [Shown]);

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for cell in self.0 {
            map.serialize_entry(cell.column, &CellModel(cell))?;
        }
        map.end()
    }
}

struct CellModel<'a>(&'a Shown);

impl Serialize for CellModel<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cell = self.0;
        let mut map = serializer.serialize_map(None)?;
        // A column of durations always has a number of seconds or null; a word beside it says why null.
        match &cell.value {
            Some(Datum::Duration(span)) => map.serialize_entry("value_s", &Seconds::from(*span))?,
            value => {
                if cell.is_duration {
                    map.serialize_entry("value_s", &())?;
                }
                map.serialize_entry("value", &value.as_ref().map(DatumModel))?;
            }
        }
        map.serialize_entry("status", cell.status.name())?;
        map.serialize_entry("sources", &Sources(cell.sources))?;
        map.serialize_entry("note", &(!cell.note.is_empty()).then_some(cell.note))?;
        map.end()
    }
}

struct DatumModel<'a>(&'a Datum);

impl Serialize for DatumModel<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Datum::Word(name, _) => serializer.serialize_str(name),
            Datum::Text(text) => serializer.serialize_str(text),
            Datum::Number(number) => serializer.serialize_u64(*number),
            Datum::Flag(flag) => serializer.serialize_bool(*flag),
            Datum::Duration(span) => Seconds::from(*span).serialize(serializer),
            Datum::Fields(kind, _, fields) => {
                let mut map = serializer.serialize_map(Some(fields.len() + 1))?;
                map.serialize_entry("kind", kind)?;
                for (name, value) in fields {
                    match value {
                        Datum::Duration(span) => {
                            map.serialize_entry(&format!("{name}_s"), &Seconds::from(*span))?;
                        }
                        value => map.serialize_entry(name, &DatumModel(value))?,
                    }
                }
                map.end()
            }
        }
    }
}

struct Sources(&'static [Source]);

impl Serialize for Sources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct SourceModel {
            tag: &'static str,
            reference: &'static str,
        }
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for source in self.0 {
            list.serialize_element(&SourceModel { tag: source.tag, reference: source.reference })?;
        }
        list.end()
    }
}

#[derive(Serialize)]
struct OptionsModel {
    value: Option<Vec<OptionModel>>,
    status: &'static str,
    sources: Sources,
    note: Option<&'static str>,
}

struct OptionModel(&'static SocketOption);

impl Serialize for OptionModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.0.name)?;
        map.serialize_entry("sets", &DatumModel(&self.0.role.datum()))?;
        for cell in &self.0.cells() {
            map.serialize_entry(cell.column, &CellModel(cell))?;
        }
        map.end()
    }
}

impl From<&Stack> for StackModel {
    fn from(stack: &Stack) -> Self {
        let options = &stack.options;
        Self {
            name: stack.name,
            title: stack.title,
            aliases: stack.aliases,
            runs: stack.runs,
            groups: Groups(stack.groups()),
            options: OptionsModel {
                value: options.value.map(|list| list.iter().map(OptionModel).collect()),
                status: options.status.name(),
                sources: Sources(options.sources),
                note: (!options.note.is_empty()).then_some(options.note),
            },
        }
    }
}

struct PresetModel(&'static Preset);

impl Serialize for PresetModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let preset = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", preset.name)?;
        map.serialize_entry("title", preset.title)?;
        map.serialize_entry("aliases", preset.aliases)?;
        for cell in &preset.cells() {
            map.serialize_entry(cell.column, &CellModel(cell))?;
        }
        map.serialize_entry("note", &(!preset.note.is_empty()).then_some(preset.note))?;
        map.end()
    }
}

#[derive(Serialize)]
struct RequirementModel {
    id: &'static str,
    text: &'static str,
    source: &'static str,
}

impl From<&Requirement> for RequirementModel {
    fn from(requirement: &Requirement) -> Self {
        Self { id: requirement.id, text: requirement.text, source: requirement.source }
    }
}

pub(super) fn write(out: &mut dyn Write, rows: Rows) -> io::Result<()> {
    let (stacks, applications) = match rows {
        Rows::All => (
            Stack::all().iter().map(|stack| StackModel::from(*stack)).collect(),
            Preset::all().iter().map(PresetModel).collect(),
        ),
        Rows::Stack(stack) => (vec![StackModel::from(stack)], Vec::new()),
        Rows::Application(preset) => (Vec::new(), vec![PresetModel(preset)]),
    };
    let requirements = Requirement::all().iter().map(RequirementModel::from).collect();
    let document = Document { schema: SCHEMA, stacks, applications, requirements };
    crate::report::plain::pretty(&mut *out, &document)?;
    writeln!(out)
}
