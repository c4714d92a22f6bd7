//! Writes a big capture to try the program on:
//!
//! ```text
//! cargo bench --bench generate -- FILE [PACKETS [CONNECTIONS [PAYLOAD [CONCURRENT]]]]
//! cargo bench --bench generate -- --walk FILE
//! ```
//!
//! The second form reads FILE and does nothing with its packets: what the fastest analysis would take.

mod traffic;

use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufWriter};

use keepscope::capture::Captures;

fn main() -> io::Result<()> {
    // Cargo adds options of its own.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench" && argument != "--test").collect();
    let Some(file) = arguments.first() else {
        eprintln!("cargo bench --bench generate -- FILE [PACKETS [CONNECTIONS [PAYLOAD [CONCURRENT]]]]");
        eprintln!("cargo bench --bench generate -- --walk FILE");
        return Ok(());
    };
    if file == "--walk" {
        return walk(&arguments[1..]);
    }
    if file.starts_with('-') {
        // An option of some test runner; a file of that name and 1.7 GB would be a nuisance.
        return Err(io::Error::other(format!(
            "{file} is no option of this program, and no good name for a file"
        )));
    }
    let number = |index: usize, default: u32| match arguments.get(index) {
        Some(text) => text.parse().map_err(|_| io::Error::other(format!("{text} is not a number"))),
        None => Ok(default),
    };
    let plan = traffic::Plan {
        packets: number(1, 10_000_000)?.into(),
        connections: number(2, 200_000)?,
        payload: number(3, 90)?,
        concurrent: number(4, 256)?,
        pace: traffic::PACE,
    };
    traffic::write(&plan, &mut BufWriter::with_capacity(1 << 20, File::create(file)?))
}

fn walk(files: &[String]) -> io::Result<()> {
    let mut captures = Captures::open(files).map_err(io::Error::other)?;
    let mut packets = 0_u64;
    while let Some(frame) = captures.next_frame() {
        black_box(&frame);
        packets += 1;
    }
    println!("{packets} packets");
    Ok(())
}
