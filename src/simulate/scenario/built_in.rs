//! The scenarios that come with the program, for the questions that people ask.
//!
//! Owns the list; each is a document beside this file, and all that is expected in it holds.

/// A scenario that comes with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// Lower case with dashes; never changes.
    pub name: &'static str,
    /// The document.
    pub text: &'static str,
}

/// The documents of a folder, by name.
macro_rules! documents {
    ($($name:literal)*) => {
        &[$(BuiltIn { name: $name, text: include_str!(concat!("../scenarios/", $name, ".toml")) }),*]
    };
}

/// All of them, in the order in which they are shown.
pub const ALL: &[BuiltIn] = documents! {
    "linux-default-behind-350s"
    "linux-340s-behind-350s"
    "linux-300s-behind-350s"
    "go-through-azure"
    "windows-defaults"
    "windows-keepalive-vals"
    "windows-set-while-connecting"
    "one-lost-probe"
    "data-in-flight"
    "peer-gone"
    "peer-reboots"
    "peer-answers-one-octet"
    "both-ends-probe"
    "nat-recreates-mapping"
    "nat-server-push"
    "nat-random-port"
    "proxy-in-between"
    "firewall-counts-one-side"
    "lossy-path"
    "outage"
};

/// The one of that name.
pub fn named(name: &str) -> Option<&'static BuiltIn> {
    ALL.iter().find(|scenario| scenario.name == name)
}
