//! Splitting a body into frames.

use bytes::Bytes;
use opencode_core::wire::sse::{self, Splitter};

/// However a body is cut, its frames are the same, and no byte of it is lost or made up.
pub fn sse(data: &[u8]) {
    let whole = split(data.chunks(data.len().max(1)));
    for size in [1, 2, 3, 7, 64] {
        assert_eq!(split(data.chunks(size)), whole, "in pieces of {size}");
    }
    // The first byte says where it is cut in two.
    let at = data.first().map_or(0, |byte| usize::from(*byte) * data.len() / 256);
    let (head, tail) = data.split_at(at);
    assert_eq!(split([head, tail].into_iter()), whole, "cut at {at}");

    let (frames, rest) = whole;
    let joined = frames.concat();
    assert!(data.starts_with(&joined), "frames are not the body");
    let left = &data[joined.len()..];
    match &rest {
        None => assert!(left.iter().all(u8::is_ascii_whitespace), "the end is lost: {left:?}"),
        Some(rest) => assert!(rest.starts_with(left), "{rest:?} for {left:?}"),
    }
    for frame in frames.iter().chain(&rest) {
        let (again, rest) = split([&**frame].into_iter());
        // Of nothing but line ends, a CR at the end goes on waiting for its LF.
        let blank = frame.iter().all(u8::is_ascii_whitespace);
        assert!(blank || again.len() + rest.iter().len() == 1, "a frame is one frame: {frame:?}");
        if let Some(data) = std::str::from_utf8(frame).ok().and_then(sse::data) {
            assert!(data.len() < frame.len() && !data.contains('\r'), "{data:?}");
        }
    }
}

fn split<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Bytes>, Option<Bytes>) {
    let (mut splitter, mut frames) = (Splitter::default(), Vec::new());
    for piece in pieces {
        frames.extend(splitter.push(piece).expect("inputs are smaller than a frame may be"));
    }
    (frames, splitter.rest())
}
