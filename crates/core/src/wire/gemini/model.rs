//! What a model's name tells of its abilities.

/// Whether a model is of Gemini 3 or later: it wants signatures on calls, is told how much to think by a level, and
/// takes pictures in a tool's result and JSON output beside tools. Names without a number (`gemini-flash-latest`) are
/// aliases of the newest.
pub(super) fn is_modern(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let Some(rest) = name.strip_prefix("gemini-") else { return false };
    match rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or("") {
        "" => true,
        number => number.parse::<u32>().is_ok_and(|number| number >= 3),
    }
}

/// Whether a model fetches pictures by their address. Those before 2.5 only take addresses of Google's own stores
/// (<https://ai.google.dev/gemini-api/docs/file-input-methods>).
pub(super) fn fetches(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    !["gemini-1", "gemini-2.0", "gemma-"].iter().any(|old| name.starts_with(old))
}
