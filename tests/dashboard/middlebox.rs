//! The search on the screen: rehearsals that are played, and what a live one tells.

use keepscope::dashboard::effect::Effect;
use keepscope::dashboard::message::{Key, Message};
use keepscope::dashboard::middlebox::rehearse::by_words;
use keepscope::dashboard::middlebox::{Hunt, Pane, Told};
use keepscope::dashboard::model::Screen as Which;
use keepscope::dashboard::theme::Theme;
use keepscope::dashboard::update::show_search;
use keepscope::search::{Phase, Verdict};
use keepscope::time::Span;

use crate::common::scratch;
use crate::harness::{ASCII, COLOR, MONO, Screen};
use crate::screens::{SIZES, THEMES, all_same, differs};
use crate::terminal::Terminal;

fn rehearsal(words: &str, columns: u16, rows: u16, theme: Theme) -> Screen {
    let mut screen = Screen::start(columns, rows, theme);
    screen.keys("4");
    screen.keys(words);
    screen.key(Key::Enter);
    screen
}

fn hunt(screen: &Screen) -> &Hunt {
    screen.model.middlebox.as_ref().expect("a search")
}

/// Seconds since the start of the search.
fn seconds(screen: &Screen) -> f64 {
    let hunt = hunt(screen);
    let (first, _) = hunt.span().expect("moments");
    hunt.at.since(first).as_nanos() as f64 / 1e9
}

#[test]
fn a_rehearsal_is_played_by_the_clock_outside() {
    let mut screen = rehearsal("aws-nlb", 100, 30, COLOR);
    assert_eq!(screen.model.screen, Which::Middlebox);
    assert!(screen.shows("SIMULATED: nothing is sent") && screen.shows("AWS Network Load Balancer"));
    let speed = hunt(&screen).speed;
    assert!((10..=50).contains(&speed), "six minutes in about twenty seconds, not {speed}");
    screen.tick(Span::from_secs(100));
    screen.tick(Span::from_secs(102));
    assert!((seconds(&screen) - 2.0 * speed as f64).abs() < 1e-6, "{}", seconds(&screen));
    screen.keys("+");
    screen.tick(Span::from_secs(103));
    assert!(seconds(&screen) > 3.5 * speed as f64, "faster");
    screen.keys(" ");
    let paused = seconds(&screen);
    screen.tick(Span::from_secs(500));
    assert_eq!(seconds(&screen), paused);
    assert!(screen.shows("PAUSE"), "{}", screen.text());
    screen.key(Key::Right);
    assert!((seconds(&screen) - paused - 10.0).abs() < 1e-6);
    screen.keys("[");
    assert!((seconds(&screen) - paused + 50.0).abs() < 1e-6);
    screen.keys(" ");
    screen.tick(Span::from_secs(501));
    screen.tick(Span::from_secs(900));
    assert!(hunt(&screen).is_at_end() && screen.shows("END"), "{}", screen.text());
    screen.keys(" ");
    assert_eq!(seconds(&screen), 0.0, "played again");
}

#[test]
fn each_trial_can_be_gone_to_and_what_is_shown_is_what_was_known_then() {
    let mut screen = rehearsal("aws-nlb", 100, 30, COLOR);
    screen.key(Key::Home);
    let mut seen = Vec::new();
    for _ in 0..200 {
        let standing = hunt(&screen).standing().expect("a moment");
        let view = &standing.moment.view;
        seen.push((standing.trials.len(), view.longest_alive, view.phase));
        assert!(standing.left().0 <= standing.left().1);
        assert!(standing.trials.iter().all(|trial| trial.at <= standing.at));
        assert!(
            view.longest_alive.is_none_or(|alive| standing.trials.iter().any(|trial| trial.idle == alive))
        );
        screen.keys(".");
    }
    seen.dedup();
    assert!(seen.len() > 40, "{}", seen.len());
    assert!(seen.is_sorted_by_key(|(trials, ..)| *trials));
    assert!(seen.iter().any(|(.., phase)| *phase == Phase::Refining), "{seen:?}");
    screen.keys(",,");
    let before = hunt(&screen).standing().expect("a moment").trials.len();
    assert!(before < hunt(&screen).courses[0].trials.len());
    screen.key(Key::End);
    let standing = hunt(&screen).standing().expect("a moment");
    let finding = standing.finding.expect("a finding");
    assert_eq!(finding.verdict, Verdict::Found);
    let (low, high) = finding.interval().expect("an interval");
    assert!(low < Span::from_secs(350) && high > Span::from_secs(350), "{low} {high}");
    assert!(screen.shows("done") && screen.shows("Fits: aws-nlb"), "{}", screen.text());
}

#[test]
fn panels_are_chosen_scrolled_and_filled() {
    let mut screen = rehearsal("aws-nlb", 100, 30, COLOR);
    screen.key(Key::End);
    assert!(!screen.shows("   1        10"), "the newest trials are shown:\n{}", screen.text());
    screen.keys("g");
    assert!(screen.shows("   1  "), "{}", screen.text());
    screen.keys("G");
    for pane in [Pane::Silences, Pane::Result, Pane::Log, Pane::Trials] {
        screen.key(Key::Tab);
        assert_eq!(hunt(&screen).pane, pane);
    }
    screen.key(Key::BackTab);
    assert!(
        screen.shows("[Log]") && !screen.shows("Trials"),
        "no place of its own at this size:\n{}",
        screen.text()
    );
    screen.keys("\\");
    assert!(screen.shows("[Log]") && !screen.shows("Search ("), "{}", screen.text());
    screen.key(Key::Esc);
    assert!(screen.shows("Search ("));
    screen.keys("y");
    let Some(Effect::Copy(copied)) = screen.effects.last() else { panic!("{:?}", screen.effects) };
    assert!(copied.contains("SIMULATED: nothing was sent") && copied.contains("The path"), "{copied}");
    screen.keys("0");
    assert_eq!(screen.model.screen, Which::Start);
    screen.keys("4");
    assert_eq!(screen.model.screen, Which::Middlebox, "it is still there");
}

#[test]
fn what_is_typed_says_the_path_and_the_question() {
    let mut screen = rehearsal("linux-conntrack out alone", 100, 30, COLOR);
    screen.key(Key::End);
    assert!(screen.shows("It cannot be known from this side alone"), "{}", screen.text());
    let mut screen = rehearsal("azure-lb both", 100, 30, COLOR);
    assert!(screen.shows("outbound (d: 1 of 2)"), "{}", screen.text());
    screen.keys("d");
    assert!(screen.shows("inbound (d: 2 of 2)"), "{}", screen.text());
    let mut screen = rehearsal("proxy-in-between", 100, 30, COLOR);
    assert!(screen.shows("PLAY"), "a scenario:\n{}", screen.text());
    for (words, problem) in [
        ("azure-lbb", "azure-lb"),
        ("haproxy", "no timeout until somebody sets one"),
        ("aws-nlb sideways", "\"sideways\" says nothing here"),
        ("", "a product or scenario"),
    ] {
        let mut screen = rehearsal(words, 100, 30, COLOR);
        assert!(screen.shows(problem), "{words}: {}", screen.text());
        assert!(screen.model.middlebox.is_none());
    }
    let mut screen = Screen::start(100, 30, COLOR);
    for _ in 0..4 {
        screen.key(Key::Down);
    }
    screen.key(Key::Enter);
    assert!(screen.shows("rehearse a search through"), "{}", screen.text());
}

/// A live search hands in what it knows as it comes, and is shown as it is now.
#[test]
fn a_live_search_is_shown_as_it_is_now() {
    let whole = by_words("aws-nlb").expect("a rehearsal");
    let course = whole.courses[0].clone();
    let mut screen = Screen::start(120, 40, COLOR);
    show_search(
        &mut screen.model,
        Hunt::new("example.net:7440", false, std::slice::from_ref(&course.wanted)),
    );
    assert!(screen.shows("LIVE") && screen.shows("nothing was told yet"), "{}", screen.text());
    screen.tick(Span::from_secs(5));
    let half = course.moments.len() / 2;
    let (trials, news) = (course.moments[half - 1].trials, course.moments[half - 1].news);
    let first = Told {
        course: 0,
        moments: course.moments[..half].to_vec(),
        trials: course.trials[..trials].to_vec(),
        news: course.news[..news].to_vec(),
        done: false,
    };
    screen.send(Message::Searched(Box::new(first)));
    let told = course.moments[half - 1].at;
    assert_eq!(hunt(&screen).at, told);
    assert!(!screen.shows("SIMULATED"));
    screen.model.dirty = false;
    screen.tick(Span::from_millis(5_001));
    let moved = screen.model.dirty;
    screen.tick(Span::from_millis(6_002));
    assert!(screen.model.dirty && !moved, "a quiet search is drawn once a second");
    assert!(hunt(&screen).at.since(told) >= Span::from_secs(1));
    screen.keys(" ");
    let held = hunt(&screen).at;
    let rest = Told {
        course: 0,
        moments: course.moments[half..].to_vec(),
        trials: course.trials[trials..].to_vec(),
        news: course.news[news..].to_vec(),
        done: true,
    };
    screen.send(Message::Searched(Box::new(rest)));
    assert_eq!(hunt(&screen).at, held, "who pauses the screen pauses it, not the search");
    screen.key(Key::End);
    assert!(screen.shows("DONE") && screen.shows("died of"), "{}", screen.text());
    assert_eq!(hunt(&screen).courses[0].trials, course.trials);
}

/// A live search of which the first half was told, 5 s after the program began.
fn half_told() -> Screen {
    let whole = by_words("aws-nlb").expect("a rehearsal");
    let course = &whole.courses[0];
    let mut screen = Screen::start(120, 40, COLOR);
    show_search(
        &mut screen.model,
        Hunt::new("example.net:7440", false, std::slice::from_ref(&course.wanted)),
    );
    screen.tick(Span::from_secs(5));
    let half = course.moments.len() / 2;
    let (trials, news) = (course.moments[half - 1].trials, course.moments[half - 1].news);
    let told = Told {
        course: 0,
        moments: course.moments[..half].to_vec(),
        trials: course.trials[..trials].to_vec(),
        news: course.news[..news].to_vec(),
        done: false,
    };
    screen.send(Message::Searched(Box::new(told)));
    screen
}

#[test]
fn a_live_search_is_left_by_asking_twice_or_by_ctrl_c() {
    let mut screen = half_told();
    screen.keys("q");
    assert!(screen.effects.is_empty() && screen.shows("q again to quit"), "{}", screen.text());
    screen.keys("0q");
    assert!(screen.effects.is_empty(), "another key between, and another screen: it is asked for anew");
    screen.keys("q");
    assert_eq!(screen.effects, [Effect::Quit(false)]);
    screen.effects.clear();
    screen.key(Key::Ctrl('c'));
    assert_eq!(screen.effects, [Effect::Quit(true)]);
    // When it is over, once will do.
    let mut screen = half_told();
    screen.send(Message::Searched(Box::new(Told { done: true, ..Told::default() })));
    screen.keys("q");
    assert_eq!(screen.effects, [Effect::Quit(false)]);
}

#[test]
fn who_paused_comes_back_to_now_and_not_to_what_was_told_last() {
    for back in [Key::Char(' '), Key::End] {
        let mut screen = half_told();
        let told = hunt(&screen).at;
        screen.keys(" ");
        screen.model.dirty = false;
        screen.tick(Span::from_secs(65));
        assert!(!screen.model.dirty && hunt(&screen).at == told, "who paused sees nothing move");
        screen.key(back);
        assert_eq!(hunt(&screen).at.since(told), Span::from_secs(60));
        assert!(!screen.shows("PAUSE"), "{}", screen.text());
    }
    // Going on by hand ends at now, too.
    let mut screen = half_told();
    let told = hunt(&screen).at;
    screen.tick(Span::from_secs(12));
    for _ in 0..9 {
        screen.key(Key::Right);
    }
    assert_eq!(hunt(&screen).at.since(told), Span::from_secs(7));
}

#[test]
fn what_is_over_or_not_seen_is_not_drawn() {
    let mut screen = half_told();
    screen.keys("0");
    screen.model.dirty = false;
    screen.tick(Span::from_secs(9));
    assert!(!screen.model.dirty);
    screen.keys("4");
    screen.send(Message::Searched(Box::new(Told { done: true, ..Told::default() })));
    screen.tick(Span::from_secs(10));
    screen.model.dirty = false;
    screen.tick(Span::from_secs(20));
    assert!(!screen.model.dirty && !hunt(&screen).runs());
}

#[test]
fn no_rehearsal_takes_the_place_of_a_search_on_a_real_path() {
    let mut screen = half_told();
    screen.keys("0");
    for _ in 0..4 {
        screen.key(Key::Down);
    }
    screen.key(Key::Enter);
    screen.keys("aws-nlb");
    screen.key(Key::Enter);
    assert!(screen.shows("taken by a search on a real path"), "{}", screen.text());
    assert!(!hunt(&screen).simulated);
}

#[test]
fn the_search_at_every_size_and_in_every_theme() {
    let mut wrong = Vec::new();
    for (columns, rows) in SIZES {
        for (name, theme) in THEMES {
            let mut screen = rehearsal("aws-nlb", columns, rows, theme);
            screen.key(Key::Home);
            for _ in 0..6 {
                screen.keys("]");
            }
            wrong.extend(differs(&format!("search_{columns}x{rows}_{name}"), &mut screen));
        }
    }
    let mut check = |name: &str, screen: &mut Screen| wrong.extend(differs(name, screen));
    let mut done = rehearsal("aws-nlb", 100, 30, COLOR);
    done.key(Key::End);
    check("search_found_100x30", &mut done);
    let mut unknown = rehearsal("linux-conntrack out alone", 80, 24, MONO);
    unknown.key(Key::End);
    check("search_cannot_know_80x24", &mut unknown);
    let mut refining = rehearsal("oracle-nlb", 160, 50, ASCII);
    refining.key(Key::End);
    refining.keys(",,,,,");
    check("search_refining_160x50", &mut refining);
    check("search_help_80x24", &mut {
        let mut help = rehearsal("aws-nlb", 80, 24, ASCII);
        help.keys("?");
        help
    });
    all_same(wrong);
}

#[test]
fn no_size_and_no_moment_makes_drawing_fail() {
    let small = (0..=40).flat_map(|columns| (0..=20).map(move |rows| (columns, rows)));
    let large =
        (40..=200).step_by(13).flat_map(|columns| (14..=100).step_by(7).map(move |rows| (columns, rows)));
    let mut screen = rehearsal("azure-lb both", 80, 24, COLOR);
    screen.key(Key::Home);
    for (columns, rows) in small.chain(large) {
        screen.send(Message::Resize(columns, rows));
        for keys in ["]", "\t", "\\", "\\", "d", "gG", "?"] {
            for key in keys.chars() {
                screen.key(if key == '\t' { Key::Tab } else { Key::Char(key) });
            }
            screen.draw();
        }
        screen.key(Key::Esc);
        if hunt(&screen).is_at_end() {
            screen.key(Key::Home);
        }
    }
}

#[test]
fn a_rehearsal_in_a_terminal_is_played_and_its_result_stays() {
    let folder = scratch("rehearsal");
    let arguments = ["middlebox", "--simulate", "aws-nlb", "--partner", "--tui"];
    // High enough for the summary and what stty says below it.
    let mut terminal = Terminal::keepscope(&arguments, 110, 60, &folder);
    terminal.wait_for("SIMULATED: nothing is sent");
    terminal.wait_for("lived");
    terminal.send(" ");
    terminal.wait_for("PAUSE");
    terminal.send("\x1b[F");
    terminal.wait_for("died of");
    terminal.send("y");
    terminal.wait_octets("\x1b]52;");
    terminal.send("q");
    terminal.wait_for("exit=0");
    terminal.expect_sane();
    let screen = terminal.contents();
    assert!(screen.contains("SIMULATED, nothing was sent") && screen.contains("bracket"), "{screen}");
}
