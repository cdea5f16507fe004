//! The ground that a stage stands on: what is mounted, which addresses there are, which secrets lie about.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use rustix::mount::{MountFlags, mount, mount_bind, mount_remount};

use super::{ESBUILD, PACKAGES, PROGRAMS, Plan};
use crate::sandbox::setup::Setup;

/// Stands for any machine of the internet (RFC 5737 keeps it for examples).
pub const INTERNET: &str = "203.0.113.7";
/// Where clouds keep a machine's credentials.
pub const METADATA: &str = "169.254.169.254";
/// A file that everybody on the machine may read and no program of a stranger should.
pub const SECRET: &str = "/mnt/secret/file";
/// The home of the user under which the control runs.
pub const HOME: &str = concat!("/tmp", "/home");

/// Mounts, brings the network up, plants what lies in files. Only ever called in namespaces of its own.
pub fn lay(plan: &Plan) -> Result<(), String> {
    memory("/mnt", "size=16m,mode=755")?;
    for (name, at) in [("programs", PROGRAMS), ("packages", PACKAGES), ("esbuild", ESBUILD)] {
        fs::create_dir(at).map_err(|error| format!("{at}: {error}"))?;
        mount_bind(plan.text(name), at).map_err(|error| format!("{}: {error}", plan.text(name)))?;
    }
    plant(plan).map_err(|error| format!("a secret cannot be planted: {error}"))?;
    memory("/var/tmp", "size=64m,mode=1777")?;
    let shared = if plan.setup == Setup::Lambda { "size=4k,mode=555" } else { "size=64m,mode=1777" };
    memory("/dev/shm", shared)?;
    // Lambda has only `/tmp`, and there only what is asked for.
    memory("/tmp", "size=320m,nr_inodes=80k,mode=1777")?;
    read_only("/")?;
    read_only("/mnt")?;
    if plan.setup == Setup::Lambda {
        read_only("/var/tmp")?;
        read_only("/dev/shm")?;
    }
    fs::create_dir(HOME).map_err(|error| error.to_string())?;
    let user = u32::try_from(plan.user()).ok().filter(|_| !plan.lone());
    std::os::unix::fs::chown(HOME, user, None).map_err(|error| error.to_string())?;
    network(plan)
}

fn memory(at: &str, options: &str) -> Result<(), String> {
    let options = std::ffi::CString::new(options).map_err(|error| error.to_string())?;
    mount("tmpfs", at, "tmpfs", MountFlags::empty(), options.as_c_str())
        .map_err(|error| format!("{at}: {error}"))
}

fn read_only(at: &str) -> Result<(), String> {
    mount_remount(at, MountFlags::BIND | MountFlags::RDONLY, c"").map_err(|error| format!("{at}: {error}"))
}

/// Lambda's image holds no secret, so there is none to find there.
fn plant(plan: &Plan) -> std::io::Result<()> {
    if plan.setup == Setup::Lambda {
        return Ok(());
    }
    fs::create_dir("/mnt/secret")?;
    fs::write(SECRET, plan.canary("file"))?;
    // Only root may read this one, but for the program that lends root's power to anybody.
    fs::write("/mnt/secret/root", plan.canary("file"))?;
    fs::set_permissions("/mnt/secret/root", fs::Permissions::from_mode(0o400))?;
    fs::copy("/usr/bin/cat", "/mnt/secret/cat")?;
    fs::set_permissions("/mnt/secret/cat", fs::Permissions::from_mode(0o4755))
}

/// Only the control has a way out: what stands for the internet is at an address that the others do not have, as a
/// network without a gateway has it.
fn network(plan: &Plan) -> Result<(), String> {
    ip(&["link", "set", "lo", "up"])?;
    if plan.setup == Setup::Control {
        for address in [INTERNET, METADATA] {
            ip(&["address", "add", &format!("{address}/32"), "dev", "lo"])?;
        }
    }
    Ok(())
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let done = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    if done.status.success() {
        Ok(())
    } else {
        Err(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr)))
    }
}
