//! The dialect as a whole: requests and streams. Recordings are replayed by the suite `golden`.

mod requests;
mod streams;
