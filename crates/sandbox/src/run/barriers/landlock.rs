//! Landlock: which files may be read, which folder may be written, no TCP, no signals and no abstract sockets outside.

use std::os::fd::{AsFd, OwnedFd};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};

/// The newest version whose rights are known here.
const NEWEST: u32 = 7;

/// The version of Landlock that this kernel has; 0 without it.
pub fn version() -> u32 {
    const ASK_VERSION: libc::c_uint = 1;
    // SAFETY: with a null attribute of size 0 and this flag the kernel only answers a number.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0_usize,
            ASK_VERSION,
        )
    };
    u32::try_from(answer).unwrap_or(0).min(NEWEST)
}

/// A path that stays open, so that rules for it cost no walk through folders.
pub struct Place {
    path: PathFd,
    folder: bool,
    right: Right,
}

/// What may be done at a [`Place`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Read and execute.
    Read,
    /// Read and write what is there; for devices.
    Device,
    /// Everything that a program does in a folder of its own.
    Own,
}

impl Place {
    /// `None` where nothing is there.
    pub fn open(path: &std::path::Path, right: Right) -> Option<Self> {
        let folder = std::fs::metadata(path).ok()?.is_dir();
        Some(Self { path: PathFd::new(path).ok()?, folder, right })
    }

    fn rights(&self, abi: ABI) -> BitFlags<AccessFs> {
        let rights = match self.right {
            Right::Read => AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::Execute,
            Right::Device => AccessFs::ReadFile | AccessFs::WriteFile,
            Right::Own => {
                AccessFs::from_all(abi) & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeSock)
            }
        };
        if self.folder { rights } else { rights & AccessFs::from_file(abi) }
    }
}

/// Everything that this version of Landlock can forbid is forbidden but for these places. Every right is required: a
/// kernel that cannot enforce one makes this an error.
pub fn ruleset<'a>(
    version: u32,
    places: impl IntoIterator<Item = &'a Place>,
) -> Result<OwnedFd, RulesetError> {
    let abi = ABI::from(i32::try_from(version).unwrap_or(0));
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(abi))?;
    if abi >= ABI::V4 {
        ruleset = ruleset.handle_access(AccessNet::from_all(abi))?;
    }
    if abi >= ABI::V6 {
        ruleset = ruleset.scope(Scope::from_all(abi))?;
    }
    let mut ruleset = ruleset.create()?;
    for place in places {
        ruleset = ruleset.add_rule(PathBeneath::new(place.path.as_fd(), place.rights(abi)))?;
    }
    let fd: Option<OwnedFd> = ruleset.into();
    Ok(fd.expect("a ruleset with hard requirements is a kernel object"))
}
