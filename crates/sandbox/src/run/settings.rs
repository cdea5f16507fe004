//! What a sandbox is told when it starts.

use std::path::{Path, PathBuf};

use opencode_core::sandbox::Profile;

/// Settings, each with a default that suits a machine with the usual interpreters.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the folders of runs are made. It is made where it is missing, and belongs to this sandbox alone. The
    /// default lies in `/dev/shm` where that is large and programs may be run from it: nothing of a run ever reaches a
    /// disk then. Otherwise in the folder for temporary files.
    pub base: PathBuf,
    /// The set of barriers; `None` takes [`Profile::Full`] where it can be had and [`Profile::Lambda`] otherwise.
    pub profile: Option<Profile>,
    /// Python 3.8 or newer; `None` where there is none.
    pub python: Option<PathBuf>,
    /// Node.js 20 or newer.
    pub node: Option<PathBuf>,
    /// esbuild, which turns TypeScript into JavaScript where Node.js cannot read it itself.
    pub esbuild: Option<PathBuf>,
    /// Bash.
    pub bash: Option<PathBuf>,
    /// Folders with more of Python's packages, as `pip install --target` makes them.
    pub packages: Vec<PathBuf>,
    /// More that programs may read.
    pub readable: Vec<PathBuf>,
    /// Folders that a program can write to and that belong to this sandbox alone: emptied before and after each run.
    /// On Lambda `/tmp`.
    pub scratch: Vec<PathBuf>,
    /// Languages of which an interpreter is started ahead; only Python, JavaScript and TypeScript can be.
    pub warm: Vec<String>,
    /// Modules that a Python that is started ahead imports ahead.
    pub preload: Vec<String>,
    /// Whether a run gets a network namespace. Its system calls for sockets are refused all the same.
    pub network_namespace: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base: memory_or_disk().join(format!("opencode-sandbox-{}", super::random::name())),
            profile: None,
            python: on_path("python3"),
            node: on_path("node"),
            esbuild: on_path("esbuild"),
            bash: on_path("bash"),
            packages: Vec::new(),
            readable: Vec::new(),
            scratch: Vec::new(),
            warm: Vec::new(),
            preload: Vec::new(),
            network_namespace: true,
        }
    }
}

fn memory_or_disk() -> PathBuf {
    use rustix::fs::StatVfsMountFlags;
    const LARGE: u64 = 2 * 1024 * 1024 * 1024;
    let memory = Path::new("/dev/shm");
    let is_large = rustix::fs::statvfs(memory).is_ok_and(|found| {
        found.f_bavail.saturating_mul(found.f_frsize) >= LARGE
            && !found.f_flag.contains(StatVfsMountFlags::NOEXEC)
    });
    let is_ours =
        rustix::fs::access(memory, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok();
    if is_large && is_ours && std::env::var_os("TMPDIR").is_none() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// The first program of this name on `PATH` and then in the usual folders that every user may run and that is no
/// script, with links resolved: what a version manager puts on `PATH` is a script that needs its owner's home.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(usual)
        .filter_map(|folder| folder.join(name).canonicalize().ok())
        .find(|file| is_program(file) && file.ancestors().all(is_open_to_all))
}

fn is_program(file: &Path) -> bool {
    use std::io::Read;
    let mut first = [0; 4];
    let read = std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first == *b"\x7fELF"
}

fn is_open_to_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
}
