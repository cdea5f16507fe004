//! What a person needs to send the first request.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use opencode_core::config::Config;

/// The text that the start ends with. The curl line works when it is pasted.
pub fn text(address: SocketAddr, config: &Config, development_key: Option<&Path>) -> String {
    let url = format!("http://{}", reachable(address));
    let names: Vec<_> = config.targets.iter().map(|row| format!("{}/{}", row.name, row.model)).collect();
    let key = match development_key {
        Some(path) => format!("$(cat {})", quoted(path)),
        None => "$OPENCODE_KEY".to_owned(),
    };
    let mut text = format!("OpenCode Platform listens on {url}\n  targets: {}\n", names.join(", "));
    let _ = match development_key {
        Some(path) => writeln!(text, "  key:     for development, in {}", path.display()),
        None => writeln!(text, "  keys:    {} in the configuration", config.keys.len()),
    };
    let _ = write!(
        text,
        "  routes:  {url}/openapi.json\n\nTry it:\n  curl -N {url}/v1/chat/completions -H \"Authorization: Bearer {key}\" \
         -H 'Content-Type: application/json' \
         -d '{{\"model\":\"auto\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"Say hello.\"}}]}}'\n"
    );
    text
}

/// Where a client on this machine finds a listener on all addresses.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// For a shell, inside double quotes too.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
    if path.bytes().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
