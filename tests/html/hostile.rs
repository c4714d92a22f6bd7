//! Names made to break out of the document.

use crate::common::{block, capture_path, scratch, text};
use crate::{array, assert_sound, read, words, write};

/// What a name would be if it ran or opened anything.
const NAMES: [&str; 5] = [
    "<script>alert(1)<",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "&lt;b&gt;&#60;script&#62;<!--",
    "]]><svg onload=alert(1)></title><style>*{display:none}",
];

#[test]
fn file_names_are_text() {
    let folder = scratch("html_names");
    let names: Vec<String> =
        NAMES.iter().map(|name| name.replace('/', "\u{2215}")).chain(["script>.pcap".to_owned()]).collect();
    // As folder and file, so that the path holds a closing tag.
    let inside = folder.join(NAMES[0]);
    std::fs::create_dir_all(&inside).expect("a folder");
    let mut captures = Vec::new();
    for name in &names {
        let path =
            if name == "script>.pcap" { inside.join(name) } else { folder.join(format!("{name}.pcap")) };
        std::fs::copy(capture_path("vanish.pcap"), &path).expect("a copy");
        captures.push(path);
    }
    let documents: Vec<_> = captures
        .iter()
        .enumerate()
        .map(|(index, capture)| write(&folder, &index.to_string(), &[text(capture)]))
        .collect();
    let Some(read) = read(&documents) else { return };
    for ((name, document), path) in names.iter().zip(&read).zip(&documents) {
        assert_sound(name, document);
        assert_eq!(array(&document["connections"]).len(), 1, "{name}");
        assert!(words(&document["text"]).contains(name.as_str()), "{name}: {}", document["text"]);
        assert!(words(&document["title"]).contains(name.as_str()), "{name}: {}", document["title"]);
        let source = std::fs::read_to_string(path).expect("UTF-8");
        for tag in ["<script", "<img", "<!--", "<svg onload"] {
            assert!(!source.contains(tag), "{name}: {tag}");
        }
    }
}

/// Control characters are gone before; what turns text around, or hides, shows.
#[test]
fn letters_that_cannot_be_seen_do_not_get_through() {
    let folder = scratch("html_letters");
    let capture = folder.join("a\u{202e}pac.exe\u{1b}[31m\u{7}\u{2066}\u{200b}\u{ad}\u{ffff}z.pcap");
    std::fs::copy(capture_path("vanish.pcap"), &capture).expect("a copy");
    let path = write(&folder, "letters", &[text(&capture)]);
    let source = std::fs::read_to_string(&path).expect("UTF-8");
    let hidden = |letter: char| {
        (letter.is_control() && letter != '\n') || "\u{202e}\u{2066}\u{200b}\u{ad}\u{ffff}".contains(letter)
    };
    assert_eq!(source.chars().find(|letter| hidden(*letter)), None);
    assert!(source.contains("z.pcap"));
    let Some(documents) = read(&[path]) else { return };
    assert_sound("letters", &documents[0]);
}

/// A file whose comments and interface names are markup.
#[test]
fn comments_and_interface_names_are_not_markup() {
    let folder = scratch("html_interface");
    let option = |code: u16, value: &[u8]| {
        let mut octets = [code.to_ne_bytes(), (value.len() as u16).to_ne_bytes()].concat();
        octets.extend(value);
        octets.resize(octets.len().next_multiple_of(4), 0);
        octets
    };
    let evil = b"</style></title><script>alert(1)</script><img src=x onerror=alert(1)>";
    let whole = crate::common::Pcap::of("vanish.pcap").to_pcapng();
    let section =
        [&0x1a2b_3c4d_u32.to_ne_bytes()[..], &1_u32.to_ne_bytes(), &[0xff; 8], &option(1, evil), &[0; 4]];
    let link = &crate::common::Pcap::of("vanish.pcap").header[20..24];
    let interface = [link, &0_u32.to_ne_bytes(), &option(2, evil), &option(1, evil), &[0; 4]];
    let file = [block(0x0a0d_0d0a, &section.concat()), block(1, &interface.concat()), whole.records.concat()];
    let capture = folder.join("interface.pcapng");
    std::fs::write(&capture, file.concat()).expect("a file to write");
    let path = write(&folder, "interface", &[text(&capture)]);
    assert!(!std::fs::read_to_string(&path).expect("UTF-8").contains("<script"));
    let Some(documents) = read(&[path]) else { return };
    assert_sound("interface", &documents[0]);
    assert_eq!(documents[0]["connections"][0]["outcome"], "timed_out");
}
