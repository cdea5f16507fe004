//! Which targets answer a request, in which order.

use crate::api::platform::{MODES, planned_mode};
use crate::catalog::{self, Abilities, Model, Prices};
use crate::config::Config;
use crate::config::rows::TargetRow;
use crate::error::{Error, Kind};
use crate::wire::Dialect;

/// A provider's model, ready to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// `provider/model`.
    pub name: String,
    /// The provider's name.
    pub provider: String,
    /// The model as the provider names it.
    pub model: String,
    /// Where it is.
    pub base_url: String,
    /// What it speaks.
    pub dialect: Dialect,
    /// How many tokens it takes at most; 0 where that is not known.
    pub context: u64,
    /// What the catalogue knows that it can and cannot do; nothing of a model that is not there.
    pub abilities: Abilities,
    /// Whether it writes on from the beginning of an answer that it is given.
    pub prefill: bool,
    /// The name of the secret with its key.
    pub secret: Option<String>,
    /// What its tokens cost.
    pub prices: Prices,
}

/// The row's own prices where it names any that are not the catalogue's, which also knows those of cached input.
fn prices(row: &TargetRow, known: Option<&Model>) -> Prices {
    let own = Prices::flat(row.usd_per_mtok_in, row.usd_per_mtok_out);
    let free = own.input == 0.0 && own.output == 0.0;
    let same =
        |known: &&Model| free || (known.prices.input == own.input && known.prices.output == own.output);
    known.filter(same).map_or(own, |known| known.prices)
}

/// How many targets one request may name.
pub const MAX_TARGETS: usize = 8;

/// The longest name of a target, in bytes.
const MAX_NAME: usize = 200;

/// What a caller's `model` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One answer of a model.
    Answer,
    /// The thinking mode.
    Thinking,
    /// The code mode.
    Code,
}

/// Names that this platform answers to itself, in place of a provider's model.
pub const OWN_MODELS: [(&str, Wanted); 4] = [
    ("auto", Wanted::Answer),
    ("opencode/chat", Wanted::Answer),
    ("opencode/thinking", Wanted::Thinking),
    ("opencode/code", Wanted::Code),
];

impl Target {
    fn of(row: &TargetRow, model: &str) -> Self {
        let known = catalog::provider(&row.base_url).and_then(|provider| catalog::model(provider, model));
        Self {
            name: format!("{}/{model}", row.name),
            provider: row.name.clone(),
            model: model.to_owned(),
            base_url: row.base_url.clone(),
            dialect: row.dialect,
            context: known.map_or(0, |known| known.context),
            abilities: known.map(|known| known.abilities).unwrap_or_default(),
            prefill: known.is_some_and(|known| known.abilities.prefill),
            secret: row.secret.clone(),
            prices: prices(row, known.as_ref()),
        }
    }
}

/// What is wished of the targets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish<'a> {
    /// The request's `model`.
    pub model: Option<&'a str>,
    /// `x-opencode-targets`: names with commas between them.
    pub header: Option<&'a str>,
    /// The tenant's own order of targets; empty where it has none.
    pub tenant: &'a [String],
}

/// The ordered targets of a request: those of its `x-opencode-targets` header, else those of its `model`.
///
/// `provider/model` pins one target; one of [`OWN_MODELS`] means the tenant's targets, or every configured one in order;
/// a bare name is the target whose own model it is.
pub fn plan(config: &Config, wish: &Wish<'_>) -> Result<(Wanted, Vec<Target>), Error> {
    let Wish { model, header, tenant } = *wish;
    if let Some(mode) = model.and_then(planned) {
        return Err(planned_mode(mode).at("model"));
    }
    let own = model.map_or(Some(Wanted::Answer), own);
    let wanted = own.unwrap_or(Wanted::Answer);
    if let Some(header) = header {
        return Ok((wanted, listed(config, header)?));
    }
    let every = || config.targets.iter().map(|row| Target::of(row, &row.model)).take(MAX_TARGETS).collect();
    let targets: Vec<Target> = match (own, model) {
        (Some(_), _) | (None, None) if !tenant.is_empty() => {
            tenant.iter().take(MAX_TARGETS).map(|name| one(config, name)).collect::<Result<_, _>>()?
        }
        (Some(_), _) | (None, None) => every(),
        (None, Some(name)) => vec![one(config, name)?],
    };
    if targets.is_empty() {
        return Err(Error::new(
            Kind::Unavailable,
            "no target is configured: set a provider's key (for example OPENAI_API_KEY), OLLAMA_HOST or [[targets]]",
        ));
    }
    Ok((wanted, targets))
}

/// The row that makes embeddings with a model: `provider/model`, or the model's bare name.
pub fn embedder(config: &Config, name: &str) -> Result<Target, Error> {
    let pinned = name.split_once('/').and_then(|(provider, model)| {
        let row = config.targets.iter().find(|row| row.name == provider)?;
        let listed = row.embeddings.iter().any(|it| it == "*" || it == model);
        (listed && !model.is_empty() && name.len() <= MAX_NAME).then_some((row, model))
    });
    let bare = || {
        let row = config.targets.iter().find(|row| row.embeddings.iter().any(|it| it == name));
        row.map(|row| (row, name))
    };
    let (row, model) = pinned.or_else(bare).ok_or_else(|| {
        let named: Vec<String> = embedders(config).collect();
        let detail = if named.is_empty() {
            "no target makes embeddings: name models in `embeddings` of a [[targets]] row".to_owned()
        } else {
            format!("no target makes embeddings with this model; known: {named:?}")
        };
        Error::new(Kind::NotFound, detail).at("model")
    })?;
    // Embeddings have no output tokens.
    let target = Target::of(row, model);
    Ok(Target { prices: Prices { output: 0.0, ..target.prices }, ..target })
}

/// The mode that `opencode/MODE` names, where it is not built yet.
fn planned(model: &str) -> Option<&'static str> {
    let mode = model.strip_prefix("opencode/")?;
    MODES.iter().find(|(name, built)| !built && *name == mode).map(|(name, _)| *name)
}

/// `provider/model` of every model that makes embeddings.
pub fn embedders(config: &Config) -> impl Iterator<Item = String> {
    config.targets.iter().flat_map(|row| {
        row.embeddings.iter().filter(|it| *it != "*").map(move |it| format!("{}/{it}", row.name))
    })
}

/// `provider/model` of every model that answers and is named in the configuration.
pub fn models(config: &Config) -> impl Iterator<Item = String> {
    config.targets.iter().flat_map(|row| {
        let further = row.models.iter().filter(|it| *it != "*" && **it != row.model);
        std::iter::once(&row.model).chain(further).map(move |it| format!("{}/{it}", row.name))
    })
}

fn own(model: &str) -> Option<Wanted> {
    OWN_MODELS.iter().find(|(name, _)| *name == model).map(|(_, wanted)| *wanted)
}

fn listed(config: &Config, header: &str) -> Result<Vec<Target>, Error> {
    let names: Vec<&str> = header.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.is_empty() || names.len() > MAX_TARGETS {
        let detail = format!("x-opencode-targets must name 1 to {MAX_TARGETS} targets as provider/model");
        return Err(Error::invalid(detail).at("x-opencode-targets"));
    }
    names.into_iter().map(|name| one(config, name)).collect()
}

fn one(config: &Config, name: &str) -> Result<Target, Error> {
    let at = |kind, detail: String| Error::new(kind, detail).at("model");
    if name.len() > MAX_NAME {
        return Err(at(Kind::Invalid, format!("a target's name may have {MAX_NAME} bytes")));
    }
    let pinned = name.split_once('/').and_then(|(provider, model)| {
        let row = config.targets.iter().find(|row| row.name == provider)?;
        Some((row, model))
    });
    // A model's own name may hold slashes, as on Hugging Face.
    let bare = || config.targets.iter().find(|row| row.model == name).map(|row| (row, name));
    let (row, model) = pinned.or_else(bare).ok_or_else(|| {
        let known: Vec<&str> = config.targets.iter().map(|row| row.name.as_str()).collect();
        at(
            Kind::NotFound,
            format!(
                "no target answers to {name:?}: name one as provider/model, with a provider of {known:?}, or `auto`"
            ),
        )
    })?;
    // A model that is not listed has no known price, and a budget would not bound it.
    let listed = |other: &String| other == "*" || other == model;
    if model.is_empty() || (model != row.model && !row.models.iter().any(listed)) {
        let detail =
            format!("{} is not set up for {model:?}: add it to `models` of its [[targets]]", row.name);
        return Err(at(Kind::NotFound, detail));
    }
    Ok(Target::of(row, model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_targets_in_order() {
        let config = Config::parse(
            r#"
            [[targets]]
            name = "a"
            base_url = "https://a.example/v1"
            model = "m"
            [[targets]]
            name = "b"
            base_url = "https://b.example/v1"
            model = "org/n"
            models = ["*"]
            "#,
        )
        .unwrap();
        let planned = |model: Option<&str>, header: Option<&str>| {
            let wish = Wish { model, header, tenant: &[] };
            let (wanted, targets) = plan(&config, &wish).map_err(|error| error.status())?;
            let names: Vec<String> = targets.into_iter().map(|it| it.name).collect();
            Ok((wanted == Wanted::Thinking, names.join(" ")))
        };
        let answer = |names: &str| Ok((false, names.to_owned()));
        assert_eq!(planned(None, None), answer("a/m b/org/n"));
        assert_eq!(planned(Some("auto"), None), answer("a/m b/org/n"));
        assert_eq!(planned(Some("opencode/thinking"), None), Ok((true, "a/m b/org/n".to_owned())));
        assert_eq!(planned(Some("opencode/thinking"), Some("b/x")), Ok((true, "b/x".to_owned())));
        assert_eq!(planned(Some("m"), None), answer("a/m"));
        assert_eq!(planned(Some("org/n"), None), answer("b/org/n"));
        assert_eq!(planned(Some("b/x/y"), None), answer("b/x/y"));
        assert_eq!(planned(Some("a/m"), Some(" b/x ,, a/m")), answer("b/x a/m"));
        assert_eq!(planned(Some("opencode/deep_research"), None), Err(501));
        assert_eq!(planned(Some("opencode/research"), None), Err(501));
        assert_eq!(planned(Some("opencode/other"), None), Err(404));
        assert_eq!(planned(Some("a/other"), None), Err(404));
        assert_eq!(planned(Some("other"), None), Err(404));
        assert_eq!(planned(Some("c/m"), None), Err(404));
        assert_eq!(planned(Some("b/"), None), Err(404));
        assert_eq!(planned(Some(&"b".repeat(MAX_NAME + 1)), None), Err(400));
        assert_eq!(planned(None, Some(",")), Err(400));
        assert_eq!(planned(None, Some(&["a/m"; MAX_TARGETS + 1].join(","))), Err(400));
        let none = Config::default();
        assert_eq!(plan(&none, &Wish::default()).unwrap_err().status(), 503);
        let tenant = ["b/x".to_owned(), "m".to_owned()];
        let of = |model| plan(&config, &Wish { model, header: None, tenant: &tenant }).unwrap().1;
        let names = |targets: Vec<Target>| targets.into_iter().map(|it| it.name).collect::<Vec<_>>();
        assert_eq!(names(of(Some("auto"))), ["b/x", "a/m"]);
        assert_eq!(names(of(Some("org/n"))), ["b/org/n"]);
    }
}
