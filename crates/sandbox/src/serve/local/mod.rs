//! Lambda's part on this machine: `Invoke` and `InvokeWithResponseStream` over loopback, and environments behind them.
//!
//! ```text
//! server       requests within their bounds, and their answers
//! signature    whether a request is signed with the secret that was made at the start
//! pool         which environment takes an invocation
//! environment  one child process, its Runtime API, its folder and its end
//! runtime_api  what an environment asks and answers
//! relay        what an environment says, held against its seal
//! user         a user id of an environment's own, and the end of whatever still runs under it
//! ```
//!
//! An environment serves one tenant. It is ended when it says so, when it dies, when it was idle for long, or when another
//! tenant needs its place.

mod environment;
mod pool;
mod relay;
mod runtime_api;
mod server;
mod signature;
mod user;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use opencode_core::sandbox::{Isolation, bounds};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use self::environment::Template;
use self::pool::Pool;
use self::server::Served;
pub use self::signature::Secret;

/// The function's name.
pub const FUNCTION: &str = "opencode-sandbox";
/// Its region.
pub const REGION: &str = "local";
/// What an environment has left to answer after the longest run.
const GRACE: Duration = Duration::from_secs(3);

/// What to serve, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// An address on loopback.
    pub listen: SocketAddr,
    /// What requests are signed with; made unless given.
    pub secret: Option<Secret>,
    /// The program that is an environment; this one unless set.
    pub program: Option<PathBuf>,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// A command that starts the program, which is added to it: a test's emulation of what Lambda refuses.
    pub wrapper: Vec<OsString>,
    /// Its variables beside those that an environment needs.
    pub variables: BTreeMap<OsString, OsString>,
    /// Where the environments' folders are made; the system's folder for temporary files unless set.
    pub folder: Option<PathBuf>,
    /// Environments at once.
    pub environments: usize,
    /// Invocations that wait for one.
    pub waiters: usize,
    /// How long an environment lives without anything to do.
    pub idle: Duration,
    /// The longest run. An environment that has not answered 3 s after it is ended.
    pub longest: Duration,
    /// Whether an environment ends after every run.
    pub recycle: bool,
}

impl Options {
    /// The defaults, with environments that are this program with these arguments.
    pub fn new(arguments: Vec<OsString>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            program: None,
            secret: None,
            arguments,
            wrapper: Vec::new(),
            variables: BTreeMap::new(),
            folder: None,
            environments: std::thread::available_parallelism()
                .map_or(1, usize::from)
                .saturating_mul(2)
                .clamp(4, 32),
            waiters: 64,
            idle: Duration::from_secs(300),
            longest: Duration::from_millis(*bounds::WALL_MS.end()),
            recycle: false,
        }
    }
}

/// How it is reached: what a caller signs with. Written as one line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ready {
    /// `http://127.0.0.1:4000`.
    pub endpoint: String,
    /// [`FUNCTION`].
    pub function: String,
    /// [`REGION`].
    pub region: String,
    /// The id of the key, which is no secret.
    pub access_key_id: String,
    /// The secret, made at the start.
    pub secret_access_key: String,
    /// What protects a run here.
    pub isolation: Isolation,
}

/// Serves until `stop`, then ends every environment. `ready` is told how it is reached once an environment is ready. The
/// error is one line: why no code can run here.
pub async fn serve(
    options: Options,
    ready: impl FnOnce(&Ready),
    stop: impl Future<Output = ()>,
) -> Result<(), String> {
    if !options.listen.ip().is_loopback() {
        return Err(format!("{} is not on loopback: signatures do not hide what is sent", options.listen));
    }
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.map_err(|error| format!("{} cannot be listened on: {error}", options.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    user::adopt_orphans();
    user::become_unreadable();
    let home = Home::make(options.folder.as_deref())?;
    let template = Template::new(&options, home.path())?;
    let pool = Pool::new(template, &options);
    let served = async {
        let isolation = pool.prepare().await?;
        let secret = options.secret.clone().map_or_else(Secret::make, Ok)?;
        let host = address.to_string();
        ready(&Ready {
            endpoint: format!("http://{address}"),
            function: FUNCTION.to_owned(),
            region: REGION.to_owned(),
            access_key_id: secret.id.clone(),
            secret_access_key: secret.secret.clone(),
            isolation: isolation.clone(),
        });
        let served = Arc::new(Served { pool: Arc::clone(&pool), secret, host, isolation });
        tokio::join!(server::run(listener, served), pool.sweep());
        Ok(())
    };
    let served = tokio::select! {
        served = served => served,
        () = stop => Ok(()),
    };
    pool.end().await;
    served
}

/// The folder of everything that environments have; removed at the end.
struct Home(PathBuf);

impl Home {
    fn make(parent: Option<&Path>) -> Result<Self, String> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let path = parent.join(format!("opencode-sandbox-{}", signature::random_hex(8)?));
        let mut builder = std::fs::DirBuilder::new();
        let failed = |error| format!("{} cannot be made: {error}", path.display());
        builder.mode(0o711).create(&path).map_err(failed)?;
        // Environments of another user find their own way in it and see nothing else.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o711)).map_err(failed)?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
