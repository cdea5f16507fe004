//! nginx twice: as the upstream that answers at once with a fixed text, and as the plainest of gateways.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::http::free_address;
use super::question::{self, Kind};
use super::running::Running;
use crate::failure::{Doing, Failure, Result};
use crate::process;

/// The path that says that it runs.
pub const UP: &str = "/up";

/// Debian keeps it where only root's `PATH` looks.
const PLACES: [&str; 2] = ["nginx", "/usr/sbin/nginx"];

/// A running nginx.
pub struct Nginx {
    /// Where it listens.
    pub address: String,
    /// From its start to its first 200.
    pub started: Duration,
    /// The program.
    pub running: Running,
}

/// The version that it says it has, or why it cannot run.
pub fn version() -> Result<String> {
    let (_, said) = find()?;
    Ok(said.trim().rsplit('/').next().unwrap_or_default().to_owned())
}

/// The upstream: every kind but [`Kind::Paced`] under a path of its name.
pub fn upstream(folder: &Path) -> Result<Nginx> {
    let answer = |kind: Kind, media: &str, text: &str| {
        format!("location /{}/ {{ default_type {media}; return 200 '{text}'; }}", kind.name())
    };
    let locations = [
        answer(Kind::Whole, "application/json", &question::whole()),
        answer(Kind::Streamed, "text/event-stream", &question::events().concat()),
    ];
    start(folder, "", &locations.join("\n"))
}

/// The gateway: passes on to the upstream, and what is [`Kind::Paced`] to the other one.
pub fn gateway(folder: &Path, upstream: &str, paced: &str) -> Result<Nginx> {
    let pool = |name: &str, address: &str| {
        format!(
            "upstream {name} {{ server {address}; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 600s; }}\n"
        )
    };
    let pass = |path: &str, pool: &str| {
        format!(
            "location {path} {{ proxy_pass http://{pool}; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; proxy_buffering off; }}\n"
        )
    };
    let pools = pool("at_once", upstream) + &pool("paced", paced);
    start(folder, &pools, &(pass("/", "at_once") + &pass(&format!("/{}/", Kind::Paced.name()), "paced")))
}

fn start(folder: &Path, pools: &str, locations: &str) -> Result<Nginx> {
    let (program, _) = find()?;
    let address = free_address()?;
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path temporary;\n"))
        .concat();
    let text = format!(
        "daemon off;\npid nginx.pid;\nerror_log stderr crit;\nworker_processes auto;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\naccess_log off;\n{temporary}\
         tcp_nodelay on;\nkeepalive_requests 1000000000;\nkeepalive_timeout 600s;\n{pools}\
         server {{\nlisten {address};\nlocation {UP} {{ return 200; }}\n{locations}\n}}\n}}\n"
    );
    fs::create_dir_all(folder).doing("make nginx's folder")?;
    fs::write(folder.join("nginx.conf"), text).doing("write nginx's configuration")?;
    let mut nginx = process::program(program);
    nginx.args(["-e", "stderr", "-c", "nginx.conf", "-p"]).arg(folder);
    let mut running = Running::start(&mut nginx, &folder.join("log"))?;
    let started = running.answers(&address, UP)?;
    Ok(Nginx { address, started, running })
}

fn find() -> Result<(&'static str, String)> {
    let found = PLACES
        .into_iter()
        .find_map(|place| Some((place, process::output(process::program(place).arg("-v"))?)));
    found.ok_or_else(|| {
        Failure::Missing(
            "nginx is needed as the upstream and to compare with: sudo apt-get install nginx-light".into(),
        )
    })
}
