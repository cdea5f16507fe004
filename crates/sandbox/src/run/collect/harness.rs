//! What the harness has left in its folder. The program could have written there as well.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use opencode_core::sandbox::Shown;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use serde_json::value::RawValue;

use super::{Left, Room};

/// Plots that are looked for.
const PLOTS: u32 = 32;
/// Bytes of a result as text.
const TEXT: u64 = 256 * 1024;
/// Bytes of a result or of a plot's data as JSON.
const JSON: u64 = 1024 * 1024;

/// Collects the result and the plots.
pub fn collect(out: &Path, room: &mut Room, left: &mut Left) {
    left.out_of_memory = open(&out.join("memory")).is_some();
    left.result = read(&out.join("result.txt"), TEXT).map(|text| Shown {
        text: String::from_utf8_lossy(&text).into_owned(),
        json: json(&out.join("result.json")),
    });
    for number in 1..=PLOTS {
        let Some(mut file) = open(&out.join(format!("plot-{number}.png"))) else { break };
        let name = format!("plot-{number}.png");
        match room.take(name.clone(), &mut file) {
            Ok(mut plot) if plot.media == "image/png" => {
                plot.plot = true;
                plot.data = json(&out.join(format!("plot-{number}.json")));
                left.artifacts.push(plot);
            }
            Ok(_) => {}
            Err(why) => left.skipped.push(opencode_core::sandbox::Skipped { name, why: why.to_owned() }),
        }
    }
}

fn json(path: &Path) -> Option<Box<RawValue>> {
    let text = String::from_utf8(read(path, JSON)?).ok()?;
    serde_json::from_str(&text).ok()
}

fn read(path: &Path, most: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= most).then_some(bytes)
}

fn open(path: &Path) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty()).ok()?;
    let found = rustix::fs::fstat(&file).ok()?;
    let ordinary = FileType::from_raw_mode(found.st_mode).is_file() && found.st_nlink == 1;
    ordinary.then(|| File::from(file))
}
