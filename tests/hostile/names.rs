//! Names by somebody who means harm.

/// Clears the screen, sets the title, turns the direction, begins a C1 sequence, forges a message and a line.
pub const HOSTILE: &str =
    "a\x1b[2J\x1b]0;x\x07\u{202e}b\u{9b}31m\u{2066}\u{200b}c\nkeepscope: error: forged\r\td\x7f";

/// A string of TOML with this in it.
pub fn toml(hostile: &str) -> String {
    let escaped = |letter: char| match letter {
        ' '..='~' if !matches!(letter, '"' | '\\') => letter.to_string(),
        letter => format!("\\u{:04x}", u32::from(letter)),
    };
    format!("\"{}\"", hostile.chars().map(escaped).collect::<String>())
}

/// A scenario in which everything that has a name has a hostile one. Both ends come to something else than expected, so
/// that more is said.
pub fn scenario() -> String {
    let [link, tracker, other] = ["link", "box", "other"].map(|end| toml(&format!("{HOSTILE}{end}")));
    let (tap, hostile) = (toml(&format!("before_{HOSTILE}box")), toml(HOSTILE));
    format!(
        "title = {hostile}\nquestion = {hostile}\nanswer = {hostile}\nlength = \"20m\"\n\
         path = [{link}, {tracker}, {other}]\n\
         [client]\nkeepalive = true\nidle = \"60s\"\ninterval = \"10s\"\ncount = 3\n\
         [link.{link}]\ndelay = \"1ms\"\n[link.{other}]\ndelay = \"2ms\"\nloss = \"10%\"\n\
         [box.{tracker}]\nkind = \"tracker\"\nestablished = \"30s\"\ninside_address = \"192.0.2.254\"\n\
         outside_address = \"203.0.113.1\"\nat_expiry = \"reset_both\"\n\
         [[expect.events]]\nwhat = \"expired\"\nby = {tracker}\nhow = {hostile}\nat = \"1s\"\n\
         [expect.client]\noutcome = \"open\"\nerror = {hostile}\n\
         [expect.capture.{tap}]\noutcome = \"alive\"\n"
    )
}
