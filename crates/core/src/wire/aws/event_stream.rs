//! `application/vnd.amazon.eventstream`: binary messages one after the other
//! (<https://smithy.io/2.0/aws/amazon-eventstream.html>).
//!
//! A message is its whole length and its headers' length (four bytes each, big-endian), the CRC-32 of those eight bytes,
//! the headers, the payload, and the CRC-32 of all that. A header is its name (a byte of length before it), a byte that
//! tells its value's type, and the value.

use bytes::{Buf, Bytes, BytesMut};

use super::crc::crc32;

/// The content type of such a stream.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";
/// The longest headers, in bytes: AWS's own bound.
const HEADERS: usize = 128 * 1024;
/// The two lengths and their checksum.
const PRELUDE: usize = 12;
/// Everything but headers and payload.
const AROUND: usize = 16;

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Names and values, as far as the values are text: `:message-type` and the like.
    pub headers: Vec<(String, String)>,
    /// What it carries.
    pub payload: Bytes,
}

impl Message {
    /// A message of this kind and event: `event("PayloadChunk", …)`.
    pub fn event(name: &str, payload: Bytes) -> Self {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self {
            headers: vec![
                header(":event-type", name),
                header(":content-type", "application/octet-stream"),
                header(":message-type", "event"),
            ],
            payload,
        }
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(there, _)| there == name).map(|(_, value)| value.as_str())
    }

    /// As it is sent. `None` where a name, a value or the whole is longer than can be written.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            headers.push(u8::try_from(name.len()).ok()?);
            headers.extend_from_slice(name.as_bytes());
            headers.push(STRING);
            headers.extend_from_slice(&u16::try_from(value.len()).ok()?.to_be_bytes());
            headers.extend_from_slice(value.as_bytes());
        }
        let total = headers.len().checked_add(self.payload.len())?.checked_add(AROUND)?;
        let mut message = Vec::with_capacity(total);
        message.extend_from_slice(&u32::try_from(total).ok()?.to_be_bytes());
        message.extend_from_slice(&u32::try_from(headers.len()).ok()?.to_be_bytes());
        message.extend_from_slice(&crc32(&[&message]).to_be_bytes());
        message.extend_from_slice(&headers);
        message.extend_from_slice(&self.payload);
        message.extend_from_slice(&crc32(&[&message]).to_be_bytes());
        Some(message)
    }
}

/// What is wrong with a stream; nothing after it can be read.
pub type Broken = &'static str;

/// Takes a stream apart, whatever pieces it comes in.
pub struct Decoder {
    buffer: BytesMut,
    most: usize,
    broken: Option<Broken>,
}

impl Decoder {
    /// One that refuses a message whose payload has more bytes than this, before it has come.
    pub fn new(most: usize) -> Self {
        Self { buffer: BytesMut::new(), most, broken: None }
    }

    /// The next bytes; then ask [`Decoder::message`] until there is none.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message. After an error there is nothing but that error.
    pub fn message(&mut self) -> Result<Option<Message>, Broken> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        let read = self.read();
        self.broken = read.as_ref().err().copied();
        read
    }

    /// Asked when the stream has ended: whether that was between two messages.
    pub fn finish(&self) -> Result<(), Broken> {
        match self.broken {
            Some(broken) => Err(broken),
            None if self.buffer.is_empty() => Ok(()),
            None => Err("it ends inside a message"),
        }
    }

    fn read(&mut self) -> Result<Option<Message>, Broken> {
        let Some(prelude) = self.buffer.get(..PRELUDE) else { return Ok(None) };
        let (lengths, mut prelude) = (prelude.get(..8).unwrap_or_default(), prelude);
        let crc = crc32(&[lengths]);
        let (total, headers) = (size(prelude.get_u32()), size(prelude.get_u32()));
        if prelude.get_u32() != crc {
            return Err("a message's lengths do not match their checksum");
        }
        let inside = total.checked_sub(AROUND).and_then(|inside| inside.checked_sub(headers));
        let Some(payload) = inside else { return Err("a message is shorter than its headers") };
        if headers > HEADERS || payload > self.most {
            return Err("a message is longer than is taken");
        }
        if self.buffer.len() < total {
            return Ok(None);
        }
        let mut message = self.buffer.split_to(total).freeze();
        let (whole, mut last) = message.split_at(total.saturating_sub(4));
        if crc32(&[whole]) != last.get_u32() {
            return Err("a message does not match its checksum");
        }
        message.advance(PRELUDE);
        let headers = read_headers(message.split_to(headers)).ok_or("a message's headers cannot be read")?;
        message.truncate(payload);
        Ok(Some(Message { headers, payload: message }))
    }
}

/// The type of a value that is text.
const STRING: u8 = 7;

/// The headers that are text; those of other types are passed over.
fn read_headers(mut bytes: Bytes) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    while bytes.has_remaining() {
        let length = usize::from(bytes.try_get_u8().ok()?);
        let name = text(take(&mut bytes, length)?)?;
        let kind = bytes.try_get_u8().ok()?;
        let length = match kind {
            // True, false.
            0 | 1 => 0,
            // Whole numbers of one, two, four and eight bytes, and a time.
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            // Bytes and text.
            6 | STRING => usize::from(bytes.try_get_u16().ok()?),
            // A UUID.
            9 => 16,
            _ => return None,
        };
        let value = take(&mut bytes, length)?;
        if kind == STRING {
            headers.push((name, text(value)?));
        }
    }
    Some(headers)
}

fn take(bytes: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= bytes.len()).then(|| bytes.split_to(length))
}

fn text(bytes: Bytes) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn size(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three of the messages that AWS's SDKs are tested with.
    const EMPTY: &[u8] = &[0, 0, 0, 16, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
    const PAYLOAD: &[u8] = b"\0\0\0\x1d\0\0\0\0\xfd\x52\x8c\x5a{'foo':'bar'}\xc3\x65\x39\x36";
    const HEADER: &[u8] = b"\0\0\0\x3d\0\0\0\x20\x07\xfd\x83\x96\x0ccontent-type\x07\0\x10application/json\
        {'foo':'bar'}\x8d\x9c\x08\xb1";

    fn read(bytes: &[u8]) -> Result<Vec<Message>, Broken> {
        let mut decoder = Decoder::new(1_000);
        decoder.push(bytes);
        let mut messages = Vec::new();
        while let Some(message) = decoder.message()? {
            messages.push(message);
        }
        decoder.finish().map(|()| messages)
    }

    #[test]
    fn published_messages_are_read_and_written_alike() {
        let payload = Bytes::from_static(b"{'foo':'bar'}");
        let header = ("content-type".to_owned(), "application/json".to_owned());
        for (bytes, message) in [
            (EMPTY, Message::default()),
            (PAYLOAD, Message { payload: payload.clone(), ..Message::default() }),
            (HEADER, Message { headers: vec![header], payload }),
        ] {
            assert_eq!(message.encode().as_deref(), Some(bytes));
            assert_eq!(read(bytes), Ok(vec![message]));
        }
    }

    #[test]
    fn a_stream_reads_the_same_in_any_pieces() {
        let messages = [
            Message::event("PayloadChunk", Bytes::from_static(b"{}\n")),
            Message::event("InvokeComplete", Bytes::new()),
        ];
        let bytes: Vec<u8> = messages.iter().flat_map(|message| message.encode().unwrap()).collect();
        assert_eq!(read(&bytes).unwrap(), messages);
        assert_eq!(messages[1].header(":event-type"), Some("InvokeComplete"));
        let mut decoder = Decoder::new(3);
        let mut read = Vec::new();
        for byte in &bytes {
            decoder.push(&[*byte]);
            read.extend(decoder.message().unwrap());
        }
        assert_eq!(read, messages);
    }

    #[test]
    fn values_of_other_types_are_passed_over() {
        let mut headers = Vec::new();
        for (kind, value) in [
            (0, &[][..]),
            (1, &[]),
            (2, &[1]),
            (3, &[1; 2]),
            (4, &[1; 4]),
            (5, &[1; 8]),
            (6, &[0, 1, 9]),
            (8, &[1; 8]),
            (9, &[1; 16]),
        ] {
            headers.extend_from_slice(&[1, b'a', kind]);
            headers.extend_from_slice(value);
        }
        headers.extend_from_slice(b"\x01b\x07\0\x01c");
        assert_eq!(read_headers(headers.into()), Some(vec![("b".to_owned(), "c".to_owned())]));
        for torn in
            [&b"\x05a"[..], b"\x01a\x07\0\x05b", b"\x01a\x0a", b"\x01\xff\x00", b"\x01a\x07\0\x01\xff"]
        {
            assert_eq!(read_headers(Bytes::copy_from_slice(torn)), None, "{torn:?}");
        }
    }

    #[test]
    fn what_is_damaged_cut_or_too_long_is_refused() {
        for at in 0..HEADER.len() {
            let mut damaged = HEADER.to_vec();
            damaged[at] ^= 1;
            assert!(read(&damaged).is_err(), "byte {at}");
            assert_eq!(read(&HEADER[..at]).is_err(), at > 0, "cut at {at}");
        }
        let mut decoder = Decoder::new(12);
        decoder.push(&PAYLOAD[..PRELUDE]);
        assert_eq!(decoder.message(), Err("a message is longer than is taken"));
        decoder.push(EMPTY);
        assert!(decoder.message().is_err(), "nothing after an error is read");
    }

    /// Whatever comes with checksums that hold, nothing is believed beyond its own bounds.
    #[test]
    fn no_bytes_are_too_strange() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let mut taken = 0;
        for _ in 0..20_000 {
            let mut bytes = HEADER.to_vec();
            for _ in 0..=random(4) {
                let at = random(bytes.len() as u64) as usize;
                bytes[at] = random(256) as u8;
            }
            bytes[..2].fill(0);
            let crc = crc32(&[&bytes[..8]]);
            bytes[8..PRELUDE].copy_from_slice(&crc.to_be_bytes());
            let end = bytes.len() - 4;
            let crc = crc32(&[&bytes[..end]]);
            bytes[end..].copy_from_slice(&crc.to_be_bytes());
            for message in read(&bytes).unwrap_or_default() {
                taken += 1;
                let text: usize = message.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
                assert!(text + message.payload.len() <= HEADER.len() - AROUND, "{message:?}");
            }
        }
        assert!(taken > 1_000, "{taken}");
    }
}
