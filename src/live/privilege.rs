//! Rights: raised to open sockets, then given up for good.
//!
//! Owns [`raised`], [`give_up`] and [`RightsMissing`]. Capabilities belong to a thread; all of this is about
//! the calling one, and a thread started later has what its parent has. Uses nothing else of the crate.

use std::path::PathBuf;

use caps::errors::CapsError;
use caps::{CapSet, Capability};
use rustix::thread::set_no_new_privs;

/// Raw packets may not be sent or seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{need} needs CAP_NET_RAW: sudo setcap cap_net_raw+ep {}, or run it by sudo", shell_word(.program))]
pub struct RightsMissing {
    /// What was wanted.
    pub need: &'static str,
    /// The running program.
    pub program: PathBuf,
}

impl RightsMissing {
    /// For the running program.
    pub fn new(need: &'static str) -> Self {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("keepscope"));
        Self { need, program }
    }

    /// The command that gives the rights.
    pub fn command(&self) -> String {
        format!("sudo setcap cap_net_raw+ep {}", shell_word(&self.program))
    }
}

/// Rights that could not be given up.
#[derive(Debug, thiserror::Error)]
#[error("cannot give up rights that are not needed any more: {0}")]
pub struct CannotGiveUp(String);

/// A path as a shell reads it back.
fn shell_word(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+,@:".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// How whoever runs the program gets a capability for whose lack something was refused. Root may not have it, as in a
/// container, or have it only in a user namespace that is not that of what it was wanted for (user_namespaces(7)).
pub(super) fn remedy(capability: Capability) -> String {
    if !rustix::process::geteuid().is_root() {
        return "run it by sudo".to_owned();
    }
    if caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false) {
        let words = "root has it here and is refused all the same: that is outside of this container or user namespace, \
                     or a security module is in the way";
        return words.to_owned();
    }
    let name = capability.to_string();
    let short = name.strip_prefix("CAP_").unwrap_or(&name);
    format!("root does not have it here, as in most containers (docker run --cap-add={short})")
}

/// Whether CAP_NET_RAW can be had: it is permitted.
pub fn permitted() -> bool {
    caps::has_cap(None, CapSet::Permitted, Capability::CAP_NET_RAW).unwrap_or(false)
}

/// Runs something with CAP_NET_RAW in effect, where it is permitted, and takes it out of effect afterwards.
pub fn raised<T>(work: impl FnOnce() -> T) -> T {
    // Where it cannot be raised, the system says what that means for each socket.
    let had = caps::raise(None, CapSet::Effective, Capability::CAP_NET_RAW).is_ok();
    let result = work();
    if had {
        let _ = caps::drop(None, CapSet::Effective, Capability::CAP_NET_RAW);
    }
    result
}

/// Gives up all capabilities of the calling thread, those of root too, and every way to get them back.
///
/// Files that need rights are to be opened before: without CAP_DAC_OVERRIDE root is an ordinary user.
///
/// # Errors
/// If any remain. Nothing may then be received.
pub fn give_up() -> Result<(), CannotGiveUp> {
    let failed = |error: CapsError| CannotGiveUp(error.to_string());
    // The bounding set can be emptied only with CAP_SETPCAP; without that, and with the flag below, what is in
    // it can be had no more.
    if caps::has_cap(None, CapSet::Permitted, Capability::CAP_SETPCAP).map_err(failed)? {
        caps::raise(None, CapSet::Effective, Capability::CAP_SETPCAP).map_err(failed)?;
        caps::clear(None, CapSet::Bounding).map_err(failed)?;
    }
    set_no_new_privs(true).map_err(|error| CannotGiveUp(error.to_string()))?;
    caps::clear(None, CapSet::Ambient).map_err(failed)?;
    caps::clear(None, CapSet::Inheritable).map_err(failed)?;
    // With the permitted set goes the effective one.
    caps::clear(None, CapSet::Permitted).map_err(failed)?;
    for set in [CapSet::Permitted, CapSet::Effective, CapSet::Inheritable, CapSet::Ambient] {
        if !caps::read(None, set).map_err(failed)?.is_empty() {
            return Err(CannotGiveUp(format!("the {set:?} set is not empty")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_pasted() {
        let missing = |program: &str| RightsMissing { need: "sending raw packets", program: program.into() };
        assert_eq!(
            missing("/usr/bin/keepscope").to_string(),
            "sending raw packets needs CAP_NET_RAW: sudo setcap cap_net_raw+ep /usr/bin/keepscope, or run it by sudo"
        );
        assert_eq!(missing("/my bin/it's").command(), r"sudo setcap cap_net_raw+ep '/my bin/it'\''s'");
    }

    #[test]
    fn what_was_given_up_is_gone_and_cannot_be_raised() {
        // On a thread of its own: the others keep what they have.
        let left = std::thread::spawn(|| {
            give_up().unwrap();
            let raised = raised(|| caps::has_cap(None, CapSet::Effective, Capability::CAP_NET_RAW).unwrap());
            (raised, permitted(), rustix::thread::no_new_privs().unwrap())
        });
        assert_eq!(left.join().unwrap(), (false, false, true));
    }
}
