//! One row of the catalogue, from one upstream dialect, to one caller.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use opencode_core::host::Time;
use serde_json::Value;

use super::caller::{Caller, Seen};
use super::golden::Goldens;
use super::plain::plain;
use super::table::{Row, See};
use crate::hosts::ctx::{Ctx, check, same};
use crate::wall::End;
use crate::wall::fault::TOKENS;

/// Who is asked, and who asks.
#[derive(Clone, Copy)]
pub struct Place {
    /// The upstream dialect's name.
    pub upstream: &'static str,
    /// Its target's name.
    pub target: &'static str,
    /// The caller's name.
    pub called: &'static str,
    /// The caller.
    pub caller: Caller,
}

/// The first target's model and the second one's, each with the tag that its calls are kept by.
pub struct Pair {
    /// The one with the fault.
    pub first: Ctx,
    /// The healthy one.
    pub second: Ctx,
    /// What they are called.
    pub models: [String; 2],
    /// Before anything was asked.
    began: OnceLock<Time>,
}

/// See the module.
pub struct Case<'a> {
    /// Who is asked.
    pub pair: &'a Pair,
    /// What goes wrong.
    pub row: &'a Row,
    /// Where.
    pub place: Place,
    /// Whether the caller wants a stream.
    pub stream: bool,
    /// What its bytes are compared with.
    pub goldens: &'a Goldens,
}

/// A response that was read to its end.
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: String,
    /// Who is said to have answered.
    pub by: Option<String>,
    /// All of it, with fixed words for what varies.
    pub plain: String,
}

/// How long every model's name is: estimates of tokens count its characters.
const NAME: usize = 100;

impl Pair {
    /// For the case of this name.
    pub fn new(ctx: Ctx, fault: &str) -> Self {
        let padded = |mut ctx: Ctx, fault: &str| {
            ctx.tag = format!("{:->width$}", ctx.tag, width = NAME - fault.len());
            let model = format!("{fault}~{}", ctx.tag);
            (ctx, model)
        };
        let (second, healthy) = padded(ctx.part("second"), "ok");
        let (first, faulty) = padded(ctx, fault);
        Self { first, second, models: [faulty, healthy], began: OnceLock::new() }
    }

    /// Waits for the receipts that name one of the two.
    pub async fn receipts(&self, of: &Ctx, wanted: usize) -> Result<Vec<Value>, String> {
        let began = self.began.get().copied().unwrap_or(Time(0));
        let enough = |list: &[Value]| list.len() >= wanted;
        let receipts = of.receipts_since(began, &of.keys.acme, &of.tag, enough).await?;
        same("receipts", receipts.len(), wanted)?;
        Ok(receipts)
    }
}

impl Place {
    /// Asks the first model, and the second one where the first fails.
    pub async fn ask(&self, pair: &Pair, stream: bool, headers: &[(&str, &str)]) -> Result<Answered, String> {
        pair.began.get_or_init(just_before);
        let targets = pair.models.each_ref().map(|model| format!("{}/{model}", self.target)).join(",");
        let mut request = self.caller.request(&pair.first, stream, &targets);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut response = request.send().await?;
        let body = response.text().await?;
        let [first, second] = &pair.models;
        let plain = plain(&response, &body, &[(first, "FIRST"), (second, "SECOND")]);
        let by = response.header("x-opencode-target").map(str::to_owned);
        Ok(Answered { status: response.status, body, by, plain })
    }

    /// What a body says.
    pub fn read(&self, stream: bool, body: &str) -> Result<Seen, String> {
        if stream {
            return self.caller.stream(body);
        }
        let json = serde_json::from_str(body).map_err(|error| format!("{error} in {body}"))?;
        Ok(self.caller.whole(&json))
    }
}

impl Case<'_> {
    /// Asks once and looks at everything that came of it.
    pub async fn run(&self) -> Result<(), String> {
        let Self { pair, row, place, stream, .. } = self;
        let hedge = row.hedge.map(|after| after.to_string());
        let headers: Vec<_> = hedge.iter().map(|after| ("x-opencode-hedge-ms", after.as_str())).collect();
        let answered = place.ask(pair, *stream, &headers).await?;
        let want = self.want();
        self.told(want, &answered)?;
        self.upstream(want).await?;
        self.receipt(want).await?;
        let shape = if *stream { "stream" } else { "whole" };
        self.goldens.expect(place.upstream, place.called, &format!("{} {shape}", row.id), &answered.plain)
    }

    fn want(&self) -> See {
        // Google blocks a prompt with an answer that has no candidates.
        let blocked = self.row.id == "S13" && self.place.upstream == "gemini";
        match (blocked, self.stream) {
            (true, _) => See::Withheld(0),
            (false, true) => self.row.streamed,
            (false, false) => self.row.whole,
        }
    }

    /// What the caller is told, whatever its bytes are.
    fn told(&self, want: See, answered: &Answered) -> Result<(), String> {
        let Answered { status, body, by, .. } = answered;
        if let See::Refused(wanted) = want {
            same("status", *status, wanted).map_err(|error| format!("{error}: {body}"))?;
            let json: Value = serde_json::from_str(body).map_err(|error| format!("{error} in {body}"))?;
            let said = self.place.caller.refusal(&json).is_some_and(|said| !said.is_empty());
            return check(said, || format!("status {status}: {body}"));
        }
        same("status", *status, 200).map_err(|error| format!("{error}: {body}"))?;
        let seen = self.place.read(self.stream, body)?;
        self.sees(want, &seen).map_err(|error| format!("{error} in {body}"))?;
        let who = if want == See::Second { &self.pair.second } else { &self.pair.first };
        check(by.as_ref().is_some_and(|target| target.ends_with(&format!("~{}", who.tag))), || {
            format!("{by:?} is said to have answered")
        })
    }

    fn sees(&self, want: See, seen: &Seen) -> Result<(), String> {
        let tokens = seen.text.split_whitespace().count();
        match want {
            See::First | See::Second => {
                same("tokens", tokens, TOKENS)?;
                same("error", &seen.error, &None)?;
                check(seen.ended && seen.finish.is_some(), || format!("no end: {seen:?}"))?;
            }
            See::Broken(after) => {
                same("tokens", tokens, after)?;
                check(seen.error.is_some(), || format!("no error: {seen:?}"))?;
                check(!seen.ended && seen.finish.is_none(), || format!("it looks complete: {seen:?}"))?;
            }
            See::Withheld(after) => {
                same("tokens", tokens, after)?;
                same("reason", seen.finish.as_deref(), Some(self.place.caller.withheld()))?;
                check(seen.ended && seen.error.is_none(), || format!("no end: {seen:?}"))?;
            }
            See::Refused(_) => {}
        }
        same("events after the end", seen.after, 0)
    }

    /// How often each target was asked, and how each call ended for it.
    async fn upstream(&self, want: See) -> Result<(), String> {
        let healthy = if want == See::Second { vec![End::Completed] } else { Vec::new() };
        same("calls of the second", ends(&self.pair.second).await?, healthy)?;
        same("calls of the first", ends(&self.pair.first).await?, vec![self.row.end])
    }

    /// One receipt, with every attempt and its outcome in order.
    async fn receipt(&self, want: See) -> Result<(), String> {
        let receipts = self.pair.receipts(&self.pair.first, 1).await?;
        let attempts = receipts[0]["attempts"].as_array().cloned().unwrap_or_default();
        let outcomes: Vec<_> = attempts.iter().map(|it| it["outcome"].as_str().unwrap_or("none")).collect();
        let given_up = match (self.row.hedge, self.row.end) {
            (Some(_), _) => "lost",
            (None, End::Cancelled) => "timeout",
            _ if self.row.id.starts_with("S13") => "refused",
            (None, _) => "failed",
        };
        let (wanted, whole) = match want {
            See::Second => (vec![given_up, "answered"], "complete"),
            See::First | See::Withheld(_) => (vec!["answered"], "complete"),
            See::Broken(_) => (vec![given_up], "failed"),
            See::Refused(_) => (vec!["refused"], "refused"),
        };
        same("attempts of the receipt", outcomes, wanted)?;
        same("outcome", receipts[0]["outcome"].as_str(), Some(whole))?;
        if let See::Broken(tokens) = want {
            same("tokens that came", attempts[0]["usage"]["output"].as_u64(), Some(tokens as u64))?;
            same("estimated", attempts[0]["estimated"].as_bool(), Some(true))?;
        }
        if want == See::Second {
            let name = attempts[1]["target"].as_str().unwrap_or_default();
            check(name.ends_with(&self.pair.second.tag), || format!("the second attempt is {name}"))?;
            same("reported", attempts[1]["estimated"].as_bool(), Some(false))?;
        }
        Ok(())
    }
}

/// A little before now: a Worker's clock stands still while it computes.
fn just_before() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(0).saturating_sub(5_000))
}

/// How each of a tag's calls ended, once none runs any more.
pub async fn ends(ctx: &Ctx) -> Result<Vec<End>, String> {
    Ok(ctx.quiet().await?.list.iter().map(|call| call.end).collect())
}
