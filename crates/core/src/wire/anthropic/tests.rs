//! The dialect as a whole: requests and streams. Recordings are replayed by the suite `captures`.

mod requests;
mod streams;
