//! Configuration that is judged, and the results of a search that advice is made from: any text has a judgement or a
//! plain refusal, and what is said of a line is said of a line that is there.

use keepscope::advice::Wish;
use keepscope::advice::audit::Auditor;
use keepscope::advice::config::Kind;
use keepscope::advice::path::Path;
use keepscope::report::audit as report;
use keepscope::stack::Stack;
use keepscope::time::{Span, duration};

/// More items than this are not judged: each is simulated.
const MOST_JUDGED: usize = 2;

/// For the same reason only one input of so many is.
const JUDGED: u32 = 64;

fn wish(silence: Span) -> Wish {
    Wish {
        silence,
        stack: Stack::named("linux").expect("a stack of the table"),
        hz: Some(1000),
        lost: 1,
        notice_within: None,
        rtt: Span::from_millis(100),
    }
}

/// The first octet chooses the kind, the rest is the text.
pub fn hold(input: &[u8]) {
    let [choice, text @ ..] = input else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    duration_holds(text);
    let Some(kind) = Kind::ALL.get(usize::from(choice % 16)).copied() else {
        return path_holds(text);
    };
    // Whatever it is by its content, that can be said.
    let _ = Kind::recognise("a", text);
    match kind.read(text) {
        Err(error) => {
            let told = error.to_string();
            assert!(super::is_plain(&told) && !told.contains('\n'), "{told:?}");
        }
        Ok(items) => {
            let lines = u32::try_from(text.lines().count()).expect("few lines").max(1);
            for item in &items {
                assert!(
                    item.line.is_none_or(|line| (1..=lines).contains(&line)),
                    "{item:?} of {lines} lines"
                );
            }
            assert_eq!(kind.read(text).as_ref(), Ok(&items));
            let sum: u32 = text.bytes().map(u32::from).sum();
            if items.len() <= MOST_JUDGED && sum.is_multiple_of(JUDGED) {
                judge(kind, text, items.len());
            }
        }
    }
}

fn judge(kind: Kind, text: &str, items: usize) {
    let path = Path::of_silence(Span::from_secs(350)).expect("a silence");
    let mut auditor = Auditor::new(path.clone(), wish(path.silence)).expect("a stack that runs");
    auditor.take("a", kind, text).expect("it was read before");
    let judged = report::Judged { items: auditor.judge(), listeners: None };
    assert_eq!(judged.items.len(), items);
    let mut out = Vec::new();
    judged.text(&mut out, &path).expect("memory can be written to");
    let shown = String::from_utf8(out).expect("UTF-8");
    assert!(super::is_plain(&shown), "{shown:?}");
    let mut out = Vec::new();
    judged.json(&mut out, &path).expect("memory can be written to");
    let document: serde_json::Value = serde_json::from_slice(&out).expect("a document");
    assert_eq!(document["items"].as_array().map(Vec::len), Some(items));
    assert!(super::is_plain(&String::from_utf8(out).expect("UTF-8")));
}

/// The text as the result of a search.
fn path_holds(text: &str) {
    match Path::of_result(text) {
        Ok(path) => assert!(path.silence > Span::ZERO),
        Err(error) => {
            let told = error.to_string();
            assert!(super::is_plain(&told), "{told:?}");
        }
    }
}

/// The first word as a duration: what is read is written, and reads as the same.
fn duration_holds(text: &str) {
    let word = text.split_whitespace().next().unwrap_or_default();
    if let Ok(span) = duration::parse(word) {
        let shown = duration::format(span);
        assert_eq!(duration::parse(&shown), Ok(span), "{word} is written {shown}");
    }
}
