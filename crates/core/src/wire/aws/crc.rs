//! CRC-32 as Ethernet, gzip and AWS's event streams have it (ISO 3309: reflected, polynomial `0xedb88320`), four bits
//! at a time: its table has 64 bytes where the usual ones have 1 to 16 KB, which a Worker would be paid for.

const TABLE: [u32; 16] = table();

/// The checksum of these pieces, one after the other.
pub(super) fn crc32(pieces: &[&[u8]]) -> u32 {
    let bytes = pieces.iter().copied().flatten();
    !bytes.fold(!0, |crc, byte| nibble(nibble(crc ^ u32::from(*byte))))
}

fn nibble(crc: u32) -> u32 {
    let row = usize::try_from(crc & 15).unwrap_or_default();
    (crc >> 4) ^ TABLE.get(row).copied().unwrap_or_default()
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]
const fn table() -> [u32; 16] {
    let mut table = [0_u32; 16];
    let mut row = 0;
    while row < table.len() {
        let mut crc = row as u32;
        let mut bit = 0;
        while bit < 4 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[row] = crc;
        row += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::crc32;

    /// The check value that every catalogue of checksums gives for this one.
    #[test]
    fn the_check_value_holds() {
        assert_eq!(crc32(&[b"123456789"]), 0xcbf4_3926);
        assert_eq!(crc32(&[b"1234", b"", b"56789"]), 0xcbf4_3926);
        assert_eq!(crc32(&[]), 0);
    }
}
