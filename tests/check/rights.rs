//! Who may not look into another process is told what is missing, and root is not sent to sudo.

use std::process::Command;

use crate::common::skip;
use crate::hosts;
use crate::net::SERVER;
use crate::other::Other;
use crate::program::Program;

#[test]
fn root_without_the_right_is_told_which() {
    let Some(net) = hosts() else { return };
    let (other, _peer) = Other::pair(&net.client, &net.server, SERVER[0]);
    let pid = other.pid().to_string();
    for words in [["check", "--pid", &pid], ["check", "--netns", &pid]] {
        // In another namespace than the program's, as in a container without the capability.
        let ended = Program::without_rights(&net.server, &words).end();
        assert_eq!(ended.code, Some(3), "{words:?}: {}", ended.complaints);
        let wanted = "needs CAP_SYS_PTRACE: root does not have it here";
        assert!(ended.complaints.contains(wanted), "{words:?}: {}", ended.complaints);
        assert!(!ended.complaints.contains("sudo"), "{words:?}: {}", ended.complaints);
    }
}

#[test]
fn root_of_another_user_namespace_is_told_that_it_is_outside() {
    let Some(net) = hosts() else { return };
    let (other, _peer) = Other::pair(&net.client, &net.server, SERVER[0]);
    let namespace = ["--user", "--map-root-user"];
    if !Command::new("unshare").args(namespace).arg("true").status().is_ok_and(|made| made.success()) {
        return skip("user namespaces are not allowed here");
    }
    let mut command = Command::new("unshare");
    command.args(namespace).args([
        env!("CARGO_BIN_EXE_keepscope"),
        "check",
        "--pid",
        &other.pid().to_string(),
    ]);
    let ended = Program::start(command).end();
    assert_eq!(ended.code, Some(3), "{}", ended.complaints);
    let wanted = "root has it here and is refused all the same";
    assert!(ended.complaints.contains(wanted) && !ended.complaints.contains("sudo"), "{}", ended.complaints);
}
