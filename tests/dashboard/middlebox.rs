//! The search on the screen: a rehearsal, played.

use keepscope::dashboard::message::Key;

use crate::harness::{COLOR, Screen};

#[test]
fn look() {
    for (c, r) in [(60, 16), (80, 24), (100, 30), (160, 50)] {
        let mut screen = Screen::start(c, r, COLOR);
        screen.keys("4aws-nlb");
        println!("{}", screen.text());
        screen.key(Key::Enter);
        screen.tick(keepscope::time::Span::from_secs(1));
        screen.tick(keepscope::time::Span::from_secs(9));
        println!("{}", screen.text());
        screen.key(Key::End);
        println!("{}", screen.text());
    }
}
