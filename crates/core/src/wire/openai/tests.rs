//! The dialect as data: what goes in, and what comes out.

mod answers;
mod requests;
mod turns;
