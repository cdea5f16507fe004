//! The ports: mechanism, never domain, and nothing that has to be polled inside a host.

use super::Findings;
use super::repository::Repository;
use super::source::{code, numbered, words};

const FILE: &str = "crates/core/src/host.rs";

/// What the product is about. A port that names one of these would have each host know a rule of the product.
const DOMAIN: [&str; 24] = [
    "answer",
    "attempt",
    "bill",
    "breaker",
    "budget",
    "chat",
    "completion",
    "dialect",
    "dollar",
    "llm",
    "mode",
    "model",
    "price",
    "prompt",
    "provider",
    "quota",
    "receipt",
    "reserve",
    "settle",
    "sse",
    "step",
    "token",
    "usage",
    "usd",
];

/// Types and bounds of a parameter that the host would have to poll or call back.
const POLLED: [&str; 8] =
    ["Future", "IntoFuture", "Stream", "AsyncFn", "AsyncFnMut", "AsyncFnOnce", "Pin", "Waker"];

/// Invariant 2. Comments may explain a mechanism by its use.
pub fn speak_mechanism(repository: &Repository) -> Findings {
    domain_words(&repository.text(FILE))
}

/// Invariant 2: a port never takes a future.
pub fn take_no_future(repository: &Repository) -> Findings {
    polled(&repository.text(FILE))
}

fn domain_words(text: &str) -> Findings {
    find(text, |word| parts(word).iter().any(|part| DOMAIN.contains(&part.trim_end_matches('s'))))
}

fn polled(text: &str) -> Findings {
    find(text, |word| POLLED.contains(&word))
}

fn find(text: &str, is_wrong: impl Fn(&str) -> bool) -> Findings {
    let code = code(text);
    if !words(&code).any(|word| word == "trait") {
        return vec![format!("{FILE} holds no port")];
    }
    let lines = numbered(&code).flat_map(|(number, line)| words(line).map(move |word| (number, word)));
    lines
        .filter(|(_, word)| is_wrong(word))
        .map(|(number, word)| format!("{FILE}:{number}: {word}"))
        .collect()
}

/// `maxPromptBytes`, `MaxPromptBytes` and `max_prompt_bytes` have the same parts.
fn parts(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut lower = false;
    for c in word.chars() {
        if c == '_' || (c.is_uppercase() && lower) {
            parts.push(String::new());
        }
        lower = c.is_lowercase();
        if let Some(last) = parts.last_mut().filter(|_| c != '_') {
            last.extend(c.to_lowercase());
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domain_words_are_found_in_every_spelling() {
        for bad in ["fn try_reserve_budget();", "struct TokenCount;", "const MAX_RECEIPTS: usize = 1;"] {
            assert!(!domain_words(&format!("trait P {{}}\n{bad}")).is_empty(), "{bad}");
        }
        let good = "/// Receipts are kept here.\ntrait Logs { fn append(&self, remodelled: Key); }";
        assert_eq!(domain_words(good), Findings::new());
    }

    #[test]
    fn futures_and_callbacks_are_found() {
        assert_eq!(polled("trait P { async fn f(&self, work: impl Future<Output = ()>); }").len(), 1);
        assert_eq!(polled("trait P { async fn f(&self, body: Bytes) -> Result<(), E>; }"), Findings::new());
        assert_eq!(polled("").len(), 1, "no port at all");
    }
}
