//! Reading captures from the outside: hand-made octets in, frames and problems out.

#[path = "capture_reading/bytes.rs"]
mod bytes;
#[path = "capture_reading/damage.rs"]
mod damage;
#[path = "capture_reading/formats.rs"]
mod formats;
#[path = "capture_reading/random.rs"]
mod random;
#[path = "capture_reading/several.rs"]
mod several;
#[path = "capture_reading/streams.rs"]
mod streams;
