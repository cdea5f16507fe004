//! A file's media type, told from its first bytes.

/// Bytes that are looked at.
pub const NEEDED: u64 = 4096;

/// Signatures at the beginning of a file (the WHATWG's MIME Sniffing Standard and the formats' own specifications).
const SIGNATURES: [(&[u8], &str); 15] = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"%PDF-", "application/pdf"),
    (b"\x1f\x8b", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"OggS", "application/ogg"),
    (b"fLaC", "audio/flac"),
    (b"PAR1", "application/vnd.apache.parquet"),
    (b"\0asm", "application/wasm"),
];

/// Parts of a zip file's names that tell which kind of document it is (ECMA-376, part 2).
const PACKAGES: [(&[u8], &str); 3] = [
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
];

/// The type of these bytes. `whole` says that nothing follows them.
pub fn media(bytes: &[u8], whole: bool) -> &'static str {
    if let Some((_, media)) = SIGNATURES.iter().find(|(signature, _)| bytes.starts_with(signature)) {
        return media;
    }
    match bytes {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => "audio/wav",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "video/mp4",
        [b'P', b'K', 3, 4, ..] => package(bytes),
        _ => text(bytes, whole),
    }
}

fn package(bytes: &[u8]) -> &'static str {
    let first = &bytes[..bytes.len().min(NEEDED as usize)];
    let holds = |part: &[u8]| first.windows(part.len()).any(|window| window == part);
    let office = holds(b"[Content_Types].xml") || holds(b"_rels/") || holds(b"docProps/");
    let known = PACKAGES.iter().find(|(part, _)| office && holds(part));
    known.map_or("application/zip", |(_, media)| media)
}

fn text(bytes: &[u8], whole: bool) -> &'static str {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if !whole && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return "application/octet-stream",
    };
    if text
        .chars()
        .any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}'))
    {
        return "application/octet-stream";
    }
    let trimmed = text.trim_start_matches('\u{feff}').trim_start();
    let lower: String = trimmed.chars().take(1024).collect::<String>().to_ascii_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        "text/html"
    } else if lower.starts_with("<svg") || (lower.starts_with("<?xml") && lower.contains("<svg")) {
        "image/svg+xml"
    } else if lower.starts_with("<?xml") {
        "application/xml"
    } else if whole
        && trimmed.starts_with(['{', '['])
        && serde_json::from_str::<&serde_json::value::RawValue>(trimmed).is_ok()
    {
        "application/json"
    } else {
        "text/plain"
    }
}
