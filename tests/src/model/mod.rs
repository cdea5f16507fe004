//! The first minutes of a newcomer: the release binary in an empty folder, with the real model that it serves itself.
//!
//! The model's file is taken from the user's cache, or else fetched once into the build's. Nothing here depends on how
//! fast an answer comes.

mod answers;
mod files;
mod life;
mod running;
mod stage;

use std::pin::Pin;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use self::running::Running;
use self::stage::Stage;
use crate::suite::{self, RUNTIME};

type Done<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// A case that asks a platform which all of them share.
type Answer = (&'static str, for<'a> fn(&'a Running) -> Done<'a>);

/// A case that starts platforms of its own, and whether it takes pip.
type Own = (&'static str, bool, for<'a> fn(&'a Stage) -> Done<'a>);

const ANSWERS: [Answer; 10] = [
    ("start::what_is_printed_works", |platform| Box::pin(answers::what_is_printed_works(platform))),
    ("answers::whole", |platform| Box::pin(answers::whole(platform))),
    ("answers::streamed", |platform| Box::pin(answers::streamed(platform))),
    ("answers::a_seed_repeats_itself", |platform| Box::pin(answers::a_seed_repeats_itself(platform))),
    ("answers::max_tokens_ends_it", |platform| Box::pin(answers::max_tokens_ends_it(platform))),
    ("answers::stop_ends_it", |platform| Box::pin(answers::stop_ends_it(platform))),
    ("answers::the_official_sdk", |platform| Box::pin(answers::the_official_sdk(platform))),
    ("answers::the_platforms_chat", |platform| Box::pin(answers::the_platforms_chat(platform))),
    ("answers::what_it_cannot_do_is_one_error", |platform| Box::pin(answers::what_it_cannot_do(platform))),
    ("answers::several_at_once", |platform| Box::pin(answers::several_at_once(platform))),
];

const OWN: [Own; 13] = [
    ("life::ctrl_c_ends_the_child_too", false, |stage| Box::pin(life::ctrl_c(stage))),
    ("life::a_killed_platform_leaves_no_child", false, |stage| Box::pin(life::killed(stage))),
    ("life::a_killed_model_is_started_again", false, |stage| Box::pin(life::model_killed(stage))),
    ("life::code_runs_at_once", false, |stage| Box::pin(life::runs_code(stage))),
    ("life::a_second_start_finds_everything", false, |stage| Box::pin(life::second_start(stage))),
    ("files::what_is_missing_is_fetched_once", true, |stage| Box::pin(files::missing(stage))),
    ("files::a_truncated_file_is_fetched_again", true, |stage| Box::pin(files::truncated(stage))),
    ("files::an_altered_file_is_fetched_again", true, |stage| Box::pin(files::altered(stage))),
    ("files::a_wrong_download_is_refused", true, |stage| Box::pin(files::wrong_download(stage))),
    ("files::without_pip_the_ways_out_are_named", false, |stage| Box::pin(files::no_pip(stage))),
    ("files::a_model_of_ones_own", false, |stage| Box::pin(files::own_model(stage))),
    ("files::what_is_no_model_is_refused", false, |stage| Box::pin(files::no_model_file(stage))),
    ("files::nothing_to_ask_is_refused", false, |stage| Box::pin(files::nothing_to_ask(stage))),
];

/// Runs the suite, or says why it cannot.
pub fn run(arguments: &Arguments) -> Result<bool, String> {
    let mut arguments = arguments.clone();
    // One answer takes both cores of a small machine.
    arguments.test_threads.get_or_insert(2);
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let Some(stage) = Stage::set(folder.path())? else { return Ok(true) };
    if stage.pip.is_none() {
        suite::say("model: there is no Python with pip: what fetches a model is skipped");
    }
    let stage = Arc::new(stage);
    let started = RUNTIME.block_on(async {
        let own = stage.empty("shared")?;
        Running::start(&stage, &own, &[]).await
    });
    let mut trials: Vec<Trial> = OWN.into_iter().map(|case| own(case, &stage)).collect();
    let platform = match started {
        Ok(platform) => Some(Arc::new(platform)),
        Err(error) => {
            trials.push(Trial::test("start", move || Err(error.into())));
            None
        }
    };
    for (name, run) in platform.is_some().then_some(ANSWERS).into_iter().flatten() {
        let platform = platform.clone();
        trials.push(Trial::test(name, move || {
            let platform = platform.as_deref().ok_or("it did not start")?;
            Ok(RUNTIME.block_on(run(platform))?)
        }));
    }
    let passed = suite::run("model", &arguments, trials);
    if !passed {
        suite::say(&format!("what the platforms said is in {}", folder.keep().display()));
    }
    let _running = RUNTIME.enter();
    drop(platform);
    Ok(passed)
}

fn own((name, fetches, run): Own, stage: &Arc<Stage>) -> Trial {
    let skipped = fetches && stage.pip.is_none();
    let stage = Arc::clone(stage);
    Trial::test(name, move || Ok(RUNTIME.block_on(run(&stage))?)).with_ignored_flag(skipped)
}
