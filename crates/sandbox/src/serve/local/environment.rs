//! One environment: a child process with its Runtime API, its folder and, where we are root, its user id.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opencode_core::sandbox::bounds;
use tokio::net::UnixListener;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::runtime_api::{self, Job, Part, State};
use super::signature::random_hex;
use super::{GRACE, Options, user};
use crate::serve::runtime::names;

/// How an environment is made.
pub struct Template {
    program: PathBuf,
    arguments: Vec<OsString>,
    wrapper: Vec<OsString>,
    variables: BTreeMap<OsString, OsString>,
    home: PathBuf,
    seal: String,
    longest: Duration,
    number: AtomicU64,
}

/// The processes of all environments that this process has.
static KNOWN: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn known() -> MutexGuard<'static, BTreeSet<u32>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running environment. Dropping it, or [`Environment::end`], ends it.
pub struct Environment {
    jobs: mpsc::Sender<Job>,
    state: Arc<State>,
    keeper: JoinHandle<()>,
}

/// What an environment's keeper tells whoever has it.
pub trait Owner: Send + Sync + 'static {
    /// It has nothing to do.
    fn free(&self, number: u64);
    /// It has ended, and nothing of it is left.
    fn gone(&self, number: u64);
}

impl Template {
    /// The program is copied to a file that can be run but not read: a process of such a file cannot be read either, by
    /// others of its user.
    pub fn new(options: &Options, home: &Path) -> Result<Self, String> {
        let program = home.join("environment");
        let source = options.program.clone().unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
        fs::copy(&source, &program)
            .and_then(|_| fs::set_permissions(&program, Permissions::from_mode(0o111)))
            .map_err(|error| format!("{} cannot be copied: {error}", source.display()))?;
        let mut variables = options.variables.clone();
        for (name, value) in [
            (names::ANSWER, bounds::LINE.to_string()),
            (names::RECYCLE, if options.recycle { "always" } else { "" }.to_owned()),
        ] {
            variables.insert(name.into(), value.into());
        }
        let seal = random_hex(32)?;
        variables.insert(names::SEAL.into(), seal.clone().into());
        Ok(Self {
            program,
            arguments: options.arguments.clone(),
            wrapper: options.wrapper.clone(),
            variables,
            home: home.to_owned(),
            seal,
            longest: options.longest,
            number: AtomicU64::new(0),
        })
    }

    /// The key that answers are sealed with.
    pub fn seal(&self) -> &str {
        &self.seal
    }

    /// How long an environment has for an invocation.
    pub fn time(&self) -> Duration {
        self.longest + GRACE
    }

    /// Another number for an environment.
    pub fn number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    /// Starts one.
    pub fn start(self: &Arc<Self>, number: u64, owner: Arc<dyn Owner>) -> Result<Environment, String> {
        let user = user::own()?;
        let folder = self.home.join(number.to_string());
        let failed = |error: io::Error| format!("an environment does not start: {error}");
        let listener = prepare(&folder, user).map_err(failed)?;
        // Held meanwhile, so that nobody takes the new process for what an environment has left.
        let mut processes = known();
        let child = self.spawn(&folder, user).map_err(failed)?;
        let process = child.id().unwrap_or_default();
        processes.insert(process);
        drop(processes);
        let state = Arc::new(State::default());
        let (jobs, received) = mpsc::channel(1);
        let kept = Kept {
            template: Arc::clone(self),
            state: Arc::clone(&state),
            number,
            process,
            child,
            folder,
            user,
        };
        let keeper = tokio::spawn(async move { kept.keep(listener, received, owner.as_ref()).await });
        Ok(Environment { jobs, state, keeper })
    }

    fn spawn(&self, folder: &Path, user: Option<u32>) -> io::Result<Child> {
        let mut words = self.wrapper.iter().map(OsString::as_os_str).chain([self.program.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        let mut api = OsString::from("unix:");
        api.push(folder.join("api/socket"));
        command
            .args(words)
            .args(&self.arguments)
            .env_clear()
            .envs(&self.variables)
            .env(names::API, api)
            .env(names::FOLDER, folder.join("work"))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // Ctrl-C is for us.
            .process_group(0)
            .kill_on_drop(true);
        if let Some(id) = user {
            command.uid(id).gid(id);
        }
        // SAFETY: between `fork` and `exec` this calls nothing but `prctl`, which may be called there.
        unsafe {
            command.pre_exec(|| {
                // It ends with us. Where that is refused it ends when it next looks for the Runtime API.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        command.spawn()
    }
}

/// Its folder, and the socket of its Runtime API.
fn prepare(folder: &Path, user: Option<u32>) -> io::Result<UnixListener> {
    let (api, work) = (folder.join("api"), folder.join("work"));
    DirBuilder::new().mode(0o711).create(folder)?;
    for folder in [&api, &work] {
        DirBuilder::new().mode(0o700).create(folder)?;
    }
    let listener = UnixListener::bind(api.join("socket"))?;
    for path in [&api.join("socket"), &api, &work] {
        chown(path, user, user)?;
    }
    Ok(listener)
}

impl Environment {
    /// What is known of it.
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Hands an invocation over, or back where it has ended. It has one at a time.
    pub fn hand(&self, job: Job) -> Result<(), Job> {
        self.jobs.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job) => job,
        })
    }

    /// Ends it and waits until nothing of it is left.
    pub async fn end(self) {
        drop(self.jobs);
        self.state.doom("it is not needed any more");
        let _ = self.keeper.await;
    }
}

struct Kept {
    template: Arc<Template>,
    state: Arc<State>,
    number: u64,
    process: u32,
    child: Child,
    folder: PathBuf,
    user: Option<u32>,
}

impl Kept {
    /// Its whole life.
    async fn keep(mut self, listener: UnixListener, mut jobs: mpsc::Receiver<Job>, owner: &dyn Owner) {
        let api = tokio::spawn(runtime_api::serve(listener, Arc::clone(&self.state)));
        let mut held = None;
        let why = loop {
            let job = tokio::select! {
                job = jobs.recv() => job,
                _ = self.child.wait() => None,
                _ = self.state.doomed() => None,
            };
            let Some(Job { call, permit }) = job else { break "it has ended" };
            self.state.begin(call);
            if let Err(why) = self.invocation().await {
                held = Some(permit);
                break why;
            }
            owner.free(self.number);
            drop(permit);
        };
        self.state.doom(why);
        self.end().await;
        let _ = tokio::time::timeout(GRACE, self.state.read()).await;
        api.abort();
        owner.gone(self.number);
        drop(held);
        // Whoever waits for an answer is told when nothing of the run is left.
        let waiting = jobs.try_recv().ok().map(|job| job.call).into_iter().chain(self.state.give_up());
        for call in waiting {
            let _ = call.parts.send(Part::Lost(why)).await;
        }
    }

    /// Waits for the end of an invocation. The error is why the environment must end.
    async fn invocation(&mut self) -> Result<(), &'static str> {
        tokio::select! {
            () = self.state.free() => Ok(()),
            _ = self.child.wait() => Err("it ended before it answered"),
            why = self.state.doomed() => Err(why),
            () = tokio::time::sleep(self.template.time()) => Err("it did not answer in time"),
            () = async {
                self.state.answered().await;
                tokio::time::sleep(GRACE).await;
            } => Err("it did not go on after its answer"),
        }
    }

    /// Ends the process and whatever else there is of it.
    async fn end(&mut self) {
        let _ = self.child.start_kill();
        let _ = self.child.wait().await;
        let ended = {
            let mut known = known();
            known.remove(&self.process);
            user::end(self.user, &known)
        };
        if !ended {
            tracing::error!(user = self.user, "a process of an environment cannot be ended");
        }
        let work = crate::run::empty(&self.folder.join("work"));
        if let Err(error) = work.and_then(|()| fs::remove_dir_all(&self.folder)) {
            tracing::warn!(%error, folder = %self.folder.display(), "an environment's folder cannot be removed");
        }
    }
}
