//! Memory as a Winsock call sees it.
//!
//! Owns the difference between a pointer that can be followed and one that cannot. Uses nothing.

/// What a pointer argument points to.
///
/// A call in Rust cannot be handed a bad pointer, a call in C can; that is what `Invalid` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory<T> {
    /// Memory of the process: as many octets as the slice has.
    Valid(T),
    /// Null, or outside the valid part of the user address space.
    Invalid,
}

/// Whether `stated` octets lie within a buffer of `there` octets and are at least `needed`.
pub(super) fn covers(stated: i64, there: usize, needed: usize) -> bool {
    usize::try_from(stated).is_ok_and(|stated| stated >= needed && stated <= there)
}

/// The DWORD that a buffer begins with, as the little-endian machines of Windows store it.
pub(super) fn read_dword(buffer: &[u8]) -> Option<u32> {
    buffer.first_chunk().map(|octets| u32::from_le_bytes(*octets))
}

/// Writes a DWORD to the beginning of a buffer; a shorter one is left alone.
pub(super) fn write_dword(buffer: &mut [u8], value: u32) {
    if let Some(octets) = buffer.first_chunk_mut() {
        *octets = value.to_le_bytes();
    }
}
