//! The machine and the versions of the programs.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::site::Kit;
use xtask::quietly;
use xtask::tools::{BOTO3, MC, MINIO, OBSTORE, RCLONE, S5CMD, Tool};

/// Facts about the machine, with their names.
pub(crate) fn facts(work: &Path) -> Vec<(&'static str, String)> {
    let said = |program: &str, args: &[&str]| {
        quietly(Command::new(program).args(args)).map_or_else(|_| "unknown".to_owned(), |said| said.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or_else(|_| "unknown".to_owned(), |count| count.to_string());
    let work = work.to_string_lossy();
    vec![
        ("date", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("commit", said("git", &["describe", "--always", "--dirty"])),
        ("processor", field("/proc/cpuinfo", "model name").unwrap_or_else(|| said("uname", &["-m"]))),
        ("cores", cores),
        ("memory", field("/proc/meminfo", "MemTotal").map_or_else(|| "unknown".to_owned(), |kib| gib(&kib))),
        ("kernel", said("uname", &["-sr"])),
        ("file system", said("stat", &["-f", "-c", "%T", &work])),
        ("load before", load()),
    ]
}

/// Returns the load averages of the last 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    if load.is_empty() { "unknown".to_owned() } else { load.join(" ") }
}

/// Returns the version that each program reports, and those of installed packages.
pub(crate) fn versions(kit: &Kit) -> Vec<(&'static str, String)> {
    let first = |program: &Path, args: &[&str]| {
        let said = quietly(Command::new(program).args(args)).unwrap_or_default();
        said.lines().next().unwrap_or_default().trim().to_owned()
    };
    let python = first(&kit.python, &["--version"]);
    vec![
        ("modeldepot", first(&kit.modeldepot, &["--version"]).replace("modeldepot ", "")),
        ("MinIO", pin(&MINIO)),
        ("boto3", format!("{}, {python}", pin(&BOTO3))),
        ("s5cmd", format!("{}, {}", pin(&S5CMD), first(&kit.s5cmd, &["version"]))),
        ("mc", pin(&MC)),
        ("rclone", pin(&RCLONE)),
        ("obstore", pin(&OBSTORE)),
        ("curl", first(Path::new("curl"), &["--version"]).split(' ').take(2).collect::<Vec<_>>().join(" ")),
    ]
}

fn pin(tool: &Tool) -> String {
    format!("`{}`", tool.pin())
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn gib(kib: &str) -> String {
    let kib: f64 = kib.trim_end_matches(" kB").parse().unwrap_or_default();
    format!("{:.1} GiB", kib / 1024.0 / 1024.0)
}
