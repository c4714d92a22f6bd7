//! `sysctl -a` and sysctl.conf, of Linux, FreeBSD and macOS.

use super::line::{MILLISECONDS, SECONDS, lines, time};
use super::{Asked, Item, Meaning, Mend};
use crate::time::Span;

/// Names of the three values, the nanoseconds that the first two count in, and how they are mended.
struct Family {
    names: [&'static str; 3],
    unit: i64,
    mend: [Mend; 3],
}

const LINUX: Family = Family {
    names: ["net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"],
    unit: SECONDS,
    mend: [Mend::Snippet("sysctl"); 3],
};

const BSD: Family = Family {
    names: ["net.inet.tcp.keepidle", "net.inet.tcp.keepintvl", "net.inet.tcp.keepcnt"],
    unit: MILLISECONDS,
    mend: [Mend::Snippet("sysctl-freebsd"); 3],
};

/// One item for each family of which something is set: the times only count together.
pub(super) fn read(text: &str) -> Vec<Item> {
    [LINUX, BSD].iter().filter_map(|family| family.read(text)).collect()
}

impl Family {
    fn read(&self, text: &str) -> Option<Item> {
        let mut found: [Option<(u32, &str)>; 3] = [None; 3];
        for line in lines(text, &['=', ':'], &['#', ';']) {
            // A leading - lets errors pass, and names may be written as paths.
            let key = line.key.trim_start_matches('-').replace('/', ".");
            if let Some(place) = self.names.iter().position(|name| *name == key)
                && let Some(found) = found.get_mut(place)
            {
                *found = Some((line.number, line.value));
            }
        }
        let [idle, interval, count] = found;
        let (line, _) = idle.or(interval).or(count)?;
        let span = |value: Option<(u32, &str)>| match value {
            None => Ok(None),
            Some((line, value)) => {
                let span = time(value, &[], self.unit).filter(|span| *span > Span::ZERO);
                span.map(Some).ok_or((line, value.to_owned()))
            }
        };
        let number = |value: Option<(u32, &str)>| match value {
            None => Ok(None),
            Some((line, value)) => {
                let number: Option<u32> = value.parse().ok().filter(|number| *number > 0);
                number.map(Some).ok_or((line, value.to_owned()))
            }
        };
        let asked = (|| {
            let (idle, interval) = (span(idle)?, span(interval)?);
            Ok(Asked { idle, interval, count: number(count)?, ..Asked::default() })
        })();
        let written: Vec<&str> = found.iter().filter_map(|one| one.map(|(_, value)| value)).collect();
        let [mend, ..] = self.mend;
        let names: Vec<&str> = self
            .names
            .iter()
            .zip(&found)
            .filter(|(_, found)| found.is_some())
            .map(|(name, _)| *name)
            .collect();
        let what = names.first().copied().unwrap_or_default();
        Some(match asked {
            Ok(asked) => Item::at(line, what, written.join(" / "), Meaning::System(asked), mend),
            Err((line, value)) => {
                let meaning = Meaning::Unreadable(format!("{value:?} is no number above 0"));
                Item::at(line, what, value, meaning, mend)
            }
        })
    }
}
