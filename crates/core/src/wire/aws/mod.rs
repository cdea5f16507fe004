//! How AWS's own services are spoken to: requests signed with Signature Version 4, streamed answers framed as event
//! streams.

mod crc;
pub mod event_stream;
pub mod sigv4;
