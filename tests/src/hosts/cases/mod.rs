//! The cases, by what they are about.
//!
//! To add one: write an `async fn(&Ctx) -> Result<(), String>` and name it in its file's table.

mod answer;
mod builtin;
mod code;
mod continuation;
mod crash;
mod failover;
mod identity;
mod input;
mod leaving;
mod omitted;
mod platform;
mod resume;
mod routes;
mod sandbox;
mod tasks;
mod tenants;
mod truth;

pub use builtin::prints as printing;
pub use code::failing;

use std::pin::Pin;

use super::ctx::Ctx;
use super::platform::Kind;

/// What a case's run is.
pub type Run = for<'a> fn(&'a Ctx) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// A row of the table.
#[derive(Clone, Copy)]
pub struct Case {
    /// `file::function`.
    pub name: &'static str,
    /// Whether nothing else may run meanwhile.
    pub exclusive: bool,
    /// Whether it is run on bare workerd too.
    pub bare: bool,
    /// Whether it is run on the native host alone: elsewhere nothing kills an owner and leaves its caller to see it.
    pub native: bool,
    /// The case itself.
    pub run: Run,
}

impl Case {
    /// Whether it is run on this host: nearly every case on every host, on bare workerd those about clients that leave.
    pub fn on(&self, kind: Kind) -> bool {
        (kind != Kind::BareWorkerd || self.bare) && (kind == Kind::Native || !self.native)
    }

    /// The same case, alone on its host.
    pub const fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// The same case, on the native host alone.
    pub const fn native(mut self) -> Self {
        self.native = true;
        self
    }

    /// The same case, on bare workerd too.
    pub const fn bare(mut self) -> Self {
        self.bare = true;
        self
    }
}

/// `case!(function)`: a row for a function of this file.
macro_rules! case {
    ($function:ident) => {
        $crate::hosts::cases::Case {
            name: concat!(module_path!(), "::", stringify!($function)),
            exclusive: false,
            bare: false,
            native: false,
            run: |ctx| Box::pin($function(ctx)),
        }
    };
}
use case;

/// Every case.
pub fn all() -> Vec<Case> {
    let files: [&[Case]; 17] = [
        routes::CASES,
        answer::CASES,
        failover::CASES,
        truth::CASES,
        leaving::CASES,
        resume::CASES,
        continuation::CASES,
        omitted::CASES,
        crash::CASES,
        platform::CASES,
        identity::CASES,
        input::CASES,
        sandbox::CASES,
        code::CASES,
        builtin::CASES,
        tasks::CASES,
        tenants::CASES,
    ];
    files.concat().into_iter().map(short).collect()
}

/// `opencode_tests::hosts::cases::file::function` without what all share.
fn short(case: Case) -> Case {
    let name = case.name.rsplit_once("cases::").map_or(case.name, |(_, name)| name);
    Case { name, ..case }
}
