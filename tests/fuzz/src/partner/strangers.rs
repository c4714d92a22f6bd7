//! Whoever does not know the secret, at either end: nothing comes of it.

use arbitrary::{Arbitrary, Result, Unstructured};
use keepscope::partner::client::{Client, Options, Told};
use keepscope::partner::secret::Secret;
use keepscope::partner::server::Token;
use keepscope::time::Span;

use super::server::Served;
use super::{SECRET, START, Said};

const MOST: usize = 48;

#[derive(Arbitrary, Debug)]
enum Happening {
    Visits,
    Says(u8, Said),
    Waits(u16),
    Ends(u8),
    Stray(u16),
    Stops,
}

/// Before a connection is authenticated no more octets go out than came in, and it never is.
pub(super) fn of_server(input: &mut Unstructured<'_>) -> Result<()> {
    let mut served = Served::new();
    let mut visitors: Vec<Token> = vec![served.accept()];
    for _ in 0..MOST {
        if input.is_empty() {
            break;
        }
        let any = |by: u8| visitors[usize::from(by) % visitors.len()];
        match Happening::arbitrary(input)? {
            Happening::Visits => visitors.push(served.accept()),
            Happening::Says(who, said) => served.say(any(who), &said.octets()),
            Happening::Waits(millis) => served.wait(Span::from_millis(millis.into())),
            Happening::Ends(who) => served.end(any(who)),
            Happening::Stray(port) => served.server.on_stray(served.now, super::seen(port)),
            Happening::Stops => served.server.stop(served.now),
        }
        served.act();
        assert_eq!((served.server.sessions(), served.sessions_begun), (0, 0), "a session without the secret");
        assert!(served.sends.is_empty());
        for (token, written) in &served.written {
            let heard = served.heard.get(token).copied().unwrap_or(0);
            assert!(*written <= heard, "{written} octets for {heard}");
        }
    }
    served.ends();
    Ok(())
}

/// A client is told of nothing but a failure, once, and does not wait for ever.
pub(super) fn of_client(input: &mut Unstructured<'_>) -> Result<()> {
    let options = Options::default();
    let mut now = START;
    let secret =
        if bool::arbitrary(input)? { Secret::new(SECRET).expect("long enough") } else { Secret::none() };
    let knows = secret.is_some();
    let mut client = Client::new(secret, options, [7; 32], now);
    let mut failures = 0;
    for _ in 0..MOST {
        if input.is_empty() {
            break;
        }
        match Happening::arbitrary(input)? {
            Happening::Says(_, said) => client.on_octets(now, &said.octets()),
            Happening::Waits(millis) => {
                now = now.plus(Span::from_millis(millis.into()));
                client.on_timeout(now);
            }
            Happening::Ends(_) => client.on_ended(),
            Happening::Visits => {
                let number = keepscope::partner::message::Number(1);
                let form = keepscope::partner::message::Form::Data(1);
                let asked = client.ask(number, form, Span::ZERO, Span::from_secs(1));
                assert!(asked.is_none() || client.welcome().is_some());
                assert!(client.test(number).is_none() || client.welcome().is_some());
            }
            Happening::Stray(_) => client.bye(),
            Happening::Stops => {}
        }
        failures += told(&mut client, knows);
    }
    // Without a session its patience ends.
    client.on_timeout(now.plus(options.handshake));
    failures += told(&mut client, knows);
    assert!(client.is_over() || client.welcome().is_some());
    assert!(failures <= 1, "failed {failures} times");
    Ok(())
}

fn told(client: &mut Client, knows: bool) -> u32 {
    let mut failures = 0;
    while let Some(octets) = client.poll_octets() {
        assert!(super::server::are_frames(&octets));
    }
    while let Some(told) = client.poll_told() {
        assert_eq!(failures, 0, "{told:?} after the failure");
        match told {
            Told::Failed(error) => {
                failures += 1;
                let shown = error.to_string();
                assert!(super::super::is_plain(&shown) && !shown.contains('\n'), "{shown:?}");
            }
            other => assert!(!knows, "{other:?} of somebody without the secret"),
        }
    }
    failures
}
