//! Kubernetes: the sysctls of each pod, wherever in a manifest it stands.

use super::yaml::{Node, documents};
use super::{Asked, ConfigError, Item, Meaning, Mend};
use crate::time::Span;

const MEND: Mend = Mend::Lines(
    "securityContext:
  sysctls:
    - { name: net.ipv4.tcp_keepalive_time, value: \"@idle@\" }
    - { name: net.ipv4.tcp_keepalive_intvl, value: \"@interval@\" }
    - { name: net.ipv4.tcp_keepalive_probes, value: \"@count@\" }",
);

pub(super) fn read(text: &str) -> Result<Vec<Item>, ConfigError> {
    let mut items = Vec::new();
    for document in documents(text)? {
        let kind = name_of(&document, "kind");
        let name = document.get("metadata").map(|metadata| name_of(metadata, "name")).unwrap_or_default();
        walk(&document, &format!("{kind} {name}"), &mut items);
    }
    Ok(items)
}

fn name_of(node: &Node, key: &str) -> String {
    node.get(key).and_then(Node::scalar).map(|(_, text)| text.to_owned()).unwrap_or_default()
}

/// Looks for pods: what has containers.
fn walk(node: &Node, owner: &str, items: &mut Vec<Item>) {
    match node {
        Node::Mapping(_, entries) => {
            let is_list = |entry: &(String, Node)| entry.0 == "items";
            if matches!(node.get("containers"), Some(Node::Sequence(_))) {
                items.push(pod(node, owner));
                return;
            }
            for (_, value) in entries.iter().filter(|entry| !is_list(entry)) {
                walk(value, owner, items);
            }
            // A list of objects, each with a name of its own.
            if let Some(Node::Sequence(nodes)) = node.get("items") {
                for node in nodes {
                    let name =
                        node.get("metadata").map(|metadata| name_of(metadata, "name")).unwrap_or_default();
                    walk(node, &format!("{} {name}", name_of(node, "kind")), items);
                }
            }
        }
        Node::Sequence(nodes) => nodes.iter().for_each(|node| walk(node, owner, items)),
        Node::Scalar(..) | Node::Alias => {}
    }
}

fn pod(pod: &Node, owner: &str) -> Item {
    let what = owner.trim().to_owned();
    let host = pod.get("hostNetwork").and_then(Node::scalar).is_some_and(|(_, text)| text == "true");
    let sysctls = pod.get("securityContext").and_then(|context| context.get("sysctls"));
    let entries: &[Node] = match sysctls {
        Some(Node::Sequence(nodes)) => nodes,
        _ => &[],
    };
    let mut asked = Asked::default();
    let (mut line, mut written) = (None, Vec::new());
    for entry in entries {
        let (name, value) = (name_of(entry, "name"), entry.get("value").and_then(Node::scalar));
        let Some((at, text)) = value.filter(|_| name.starts_with("net.ipv4.tcp_keepalive_")) else {
            continue;
        };
        let Some(number) = text.parse::<u32>().ok().filter(|number| *number > 0) else {
            let problem = Meaning::Unreadable(format!("{name} {text:?} is no number above 0"));
            return Item::at(at, what, text, problem, MEND);
        };
        let span = Some(Span::from_secs(i64::from(number)));
        match name.trim_start_matches("net.ipv4.tcp_keepalive_") {
            "time" => asked.idle = span,
            "intvl" => asked.interval = span,
            "probes" => asked.count = Some(number),
            _ => continue,
        }
        line.get_or_insert(at);
        written.push(text.to_owned());
    }
    let meaning = if host {
        Meaning::Unreadable("hostNetwork: it has the node's sysctls; audit those".to_owned())
    } else {
        Meaning::System(asked)
    };
    let begins = match pod {
        Node::Mapping(line, _) => Some(*line),
        _ => None,
    };
    let (line, value) = (line.or(begins), written.join(" / "));
    Item { line, what, value, meaning, mend: MEND }
}
