//! What was seen of a run, and the signs of an escape in it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Memory of what is under test above which a run has made it grow.
const GROWN: u64 = 200 * 1024 * 1024;

/// A sign that something went past a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// A planted secret stands in the answer, or was seen outside.
    Told,
    /// The program has measured that it got what it must not get.
    Said,
    /// The program got somewhere where nothing is to be had.
    Reached,
    /// A process of the run lives when the answer is there.
    Survivor,
    /// A file of the run lies there when the answer is there.
    Left,
    /// The limits, processors or priority of what is under test were changed.
    Changed,
    /// What is under test was ended or stopped.
    Lost,
    /// The answer was not the sandbox's.
    Poisoned,
    /// What stands for the rest of the world heard something.
    Received,
    /// No answer came in time.
    Hung,
    /// The run has written to the log of what is under test.
    Logged,
    /// What is under test grew with what the run wrote.
    Grown,
    /// The answer says what the code wants it to say.
    Forged,
    /// The answer was more than can be taken.
    TooLarge,
    /// A file is called something that it is not.
    Mistyped,
}

/// What was seen of a run.
pub struct Seen {
    /// The outcome, where there is one.
    pub outcome: Option<Value>,
    /// Why there is none.
    pub problem: Option<String>,
    /// Everything that was seen.
    pub whole: Value,
    own: Option<String>,
    canaries: Vec<String>,
}

impl Seen {
    /// Of what a stage answers.
    pub fn new(whole: Value, canaries: Vec<String>) -> Self {
        let outcome = whole["answer"].as_str().and_then(|text| serde_json::from_str(text).ok());
        let problem = whole["problem"].as_str().map(str::to_owned);
        Self { outcome, problem, whole, own: None, canaries }
    }

    /// With a secret that is the run's own and may stand in its answer.
    pub fn with_own(self, secret: String) -> Self {
        Self { own: Some(secret), ..self }
    }

    /// A member of the outcome.
    pub fn text(&self, name: &str) -> &str {
        self.outcome.as_ref().and_then(|outcome| outcome[name].as_str()).unwrap_or_default()
    }

    /// How it ended.
    pub fn status(&self) -> &str {
        self.text("status")
    }

    /// The artifacts: name, type, content.
    pub fn artifacts(&self) -> Vec<(String, String, Vec<u8>)> {
        let listed = self.outcome.as_ref().and_then(|outcome| outcome["artifacts"].as_array());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let content = |value: &Value| STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default();
        listed
            .into_iter()
            .flatten()
            .map(|one| (text(&one["name"]), text(&one["type"]), content(&one["content"])))
            .collect()
    }

    /// Whether the program has said that it tried what it is there for.
    pub fn tried(&self) -> bool {
        self.output().contains("TRIED")
    }

    /// Both outputs.
    fn output(&self) -> String {
        ["stdout", "stderr"].map(|name| self.text(name)).join("\n")
    }

    /// Everything that the run has told anybody.
    pub fn told(&self) -> String {
        let mut told = self.output();
        for (name, _, content) in self.artifacts() {
            told.push_str(&format!("\n{name}\n{}", String::from_utf8_lossy(&content)));
        }
        if let Some(outcome) = &self.outcome {
            told.push_str(&outcome["result"].to_string());
        }
        for received in self.whole["received"].as_array().into_iter().flatten() {
            told.push_str(received.as_str().unwrap_or_default());
        }
        match &self.own {
            Some(own) => told.replace(own, ""),
            None => told,
        }
    }

    /// Every sign, with what it is seen by.
    pub fn signs(&self) -> BTreeMap<Sign, String> {
        let mut signs = BTreeMap::new();
        let (told, output) = (self.told(), self.output());
        let mut note = |sign: Sign, holds: bool, by: &dyn Fn() -> String| {
            if holds {
                signs.insert(sign, by());
            }
        };
        let line = |word: &str| {
            let line = output.lines().find(|line| line.contains(word)).unwrap_or_default();
            line.chars().take(300).collect::<String>()
        };
        let canary = self.canaries.iter().find(|canary| told.contains(canary.as_str()));
        note(Sign::Told, canary.is_some(), &|| canary.cloned().unwrap_or_default());
        note(Sign::Said, output.contains("ESCAPED"), &|| line("ESCAPED"));
        note(Sign::Reached, output.contains("REACHED"), &|| line("REACHED"));
        note(Sign::Forged, output.contains("FORGED"), &|| line("FORGED"));
        let survey = &self.whole["survey"];
        let some = |name: &str| survey[name].as_array().is_some_and(|list| !list.is_empty());
        note(Sign::Survivor, some("survivors"), &|| survey["survivors"].to_string());
        note(Sign::Left, some("left"), &|| survey["left"].to_string());
        note(Sign::Changed, survey["changed"] == true, &|| "changed".to_owned());
        let status = self.status();
        let lost = survey["stopped"] == true
            || survey["ended"] == true
            || self.problem.as_deref() == Some("lost")
            || status == "sandbox_lost";
        note(Sign::Lost, lost, &|| self.summary());
        let forged = |problem: &str| problem == "poisoned" || problem.contains("Forged.Error");
        let poisoned = self.problem.as_deref().is_some_and(forged) || status == "poisoned";
        note(Sign::Poisoned, poisoned, &|| self.summary());
        let received = self.whole["received"].as_array().is_some_and(|list| !list.is_empty());
        note(Sign::Received, received, &|| self.whole["received"].to_string());
        note(Sign::Hung, self.problem.as_deref() == Some("hung"), &|| self.summary());
        let log = self.whole["log"].as_str().unwrap_or_default();
        note(Sign::Logged, log.contains("forged-log"), &|| log.to_owned());
        let peak = survey["peak_bytes"].as_u64().unwrap_or_default();
        note(Sign::Grown, peak > GROWN, &|| format!("{peak} bytes"));
        note(Sign::TooLarge, self.problem.as_deref() == Some("too large"), &|| self.summary());
        let page = |content: &[u8]| content.starts_with(b"<");
        let mistyped =
            self.artifacts().into_iter().find(|(_, media, content)| media == "image/png" && page(content));
        note(Sign::Mistyped, mistyped.is_some(), &|| format!("{mistyped:?}"));
        signs
    }

    /// For a person.
    pub fn summary(&self) -> String {
        let mut text = self.whole.to_string();
        text.truncate(text.floor_char_boundary(6000));
        text
    }
}
