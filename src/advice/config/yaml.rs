//! YAML as a tree that knows its lines. JSON is YAML.

use saphyr_parser::{Event, Parser};

use super::ConfigError;

/// Deepest nesting that is read.
const DEEPEST: usize = 100;

/// A node with its line, from 1.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A word, a number, a text.
    Scalar(u32, String),
    /// Values.
    Sequence(Vec<Node>),
    /// Keys and values, with the line of the first.
    Mapping(u32, Vec<(String, Node)>),
    /// A reference to another node.
    Alias,
}

impl Node {
    /// What a mapping has under a key.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Node::Mapping(_, entries) = self else { return None };
        entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// A scalar and its line.
    pub(super) fn scalar(&self) -> Option<(u32, &str)> {
        match self {
            Node::Scalar(line, text) => Some((*line, text)),
            _ => None,
        }
    }
}

/// What is being built.
enum Open {
    Sequence(Vec<Node>),
    Mapping(u32, Vec<(String, Node)>, Option<String>),
}

/// The documents of a stream.
pub(super) fn documents(text: &str) -> Result<Vec<Node>, ConfigError> {
    let mut roots = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| ConfigError::At {
            line: u32::try_from(error.marker().line()).unwrap_or(u32::MAX),
            problem: format!("no YAML: {}", error.info()),
        })?;
        let line = u32::try_from(span.start.line()).unwrap_or(u32::MAX);
        let done = match event {
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= DEEPEST => {
                return Err(ConfigError::At { line, problem: format!("nested more than {DEEPEST} deep") });
            }
            Event::SequenceStart(..) => {
                open.push(Open::Sequence(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Mapping(line, Vec::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::Sequence(nodes)) => Node::Sequence(nodes),
                Some(Open::Mapping(line, entries, _)) => Node::Mapping(line, entries),
                None => continue,
            },
            Event::Scalar(text, ..) => Node::Scalar(line, text.into_owned()),
            Event::Alias(_) => Node::Alias,
            _ => continue,
        };
        match open.last_mut() {
            Some(Open::Sequence(nodes)) => nodes.push(done),
            Some(Open::Mapping(_, entries, key)) => match key.take() {
                Some(key) => entries.push((key, done)),
                None => *key = Some(done.scalar().map(|(_, text)| text.to_owned()).unwrap_or_default()),
            },
            None => roots.push(done),
        }
    }
    Ok(roots)
}
