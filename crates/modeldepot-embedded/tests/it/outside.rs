//! Real S3 clients against a server in a separate process.
//!
//! `cargo xtask test` installs them and passes their paths.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::serve::Process;

/// The most memory the server may use, whatever is transferred.
const MEMORY: u64 = 200 << 20;

struct Outside {
    server: Process,
    tools: PathBuf,
    /// Holds the data folder, and files that clients read and write.
    folder: tempfile::TempDir,
}

impl Outside {
    fn start() -> Self {
        let tools = std::env::var_os("MODELDEPOT_TOOLS").expect("MODELDEPOT_TOOLS says where the clients are");
        let folder = tempfile::tempdir().unwrap();
        Self { server: Process::start(&folder.path().join("data")), tools: tools.into(), folder }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.server.address)
    }

    fn tool(&self, name: &str) -> Command {
        let place = ["bin", "venv/bin"].iter().map(|dir| self.tools.join(dir).join(name)).find(|path| path.exists());
        let mut command = Command::new(place.unwrap_or_else(|| panic!("`{name}` is not installed")));
        // None of the user's own configuration, and no proxy for this machine.
        command
            .env("HOME", self.folder.path())
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
            .env("AWS_ACCESS_KEY_ID", "minioadmin")
            .env("AWS_SECRET_ACCESS_KEY", "minioadmin")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env_remove("AWS_PROFILE");
        command
    }

    /// Runs one of the scripts in `tests/clients`.
    fn script(&self, name: &str, args: &[&Path]) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name);
        run(self.tool("python").arg("-B").arg(path).arg(self.endpoint()).args(args))
    }

    /// A file of 132 MB that does not compress.
    fn large(&self) -> PathBuf {
        let path = self.folder.path().join("large.bin");
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
        let mut state = 7u64;
        for _ in 0..132_000_000 / 8 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            file.write_all(&(state ^ (state >> 29)).to_le_bytes()).unwrap();
        }
        file.flush().unwrap();
        path
    }

    fn same(&self, a: &Path, b: &str) {
        let b = self.folder.path().join(b);
        assert!(std::fs::read(a).unwrap() == std::fs::read(&b).unwrap(), "{} differs", b.display());
    }

    fn check_memory(&self) {
        if let Some(peak) = self.server.peak_memory() {
            assert!(peak < MEMORY, "the server held {} MiB", peak >> 20);
        }
    }
}

/// Runs a command that must succeed. Returns what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text
}

fn args(line: &str) -> impl Iterator<Item = &OsStr> {
    line.split(' ').map(OsStr::new)
}

#[test]
#[ignore = "needs outside clients: run by `cargo xtask test`"]
fn outside_boto3_objects() {
    Outside::start().script("objects.py", &[]);
}

#[test]
#[ignore = "needs outside clients: run by `cargo xtask test`"]
fn outside_boto3_listing() {
    Outside::start().script("listing.py", &[]);
}

#[test]
#[ignore = "needs outside clients: run by `cargo xtask test`"]
fn outside_boto3_multipart() {
    Outside::start().script("multipart.py", &[]);
}

#[test]
#[ignore = "needs outside clients: run by `cargo xtask test`"]
fn outside_boto3_checksums() {
    Outside::start().script("checksums.py", &[]);
}

#[test]
#[ignore = "needs outside clients: run by `cargo xtask test`"]
fn outside_boto3_presigned() {
    Outside::start().script("presigned.py", &[]);
}

#[test]
#[ignore = "needs outside clients: run by `cargo xtask test`"]
fn outside_boto3_race() {
    Outside::start().script("race.py", &[]);
}

#[test]
#[ignore = "needs outside clients: run by `cargo xtask test`"]
fn outside_boto3_large() {
    let outside = Outside::start();
    let file = outside.large();
    outside.script("large.py", &[&file]);
    outside.check_memory();
}

#[test]
#[ignore = "needs outside clients: run by `cargo xtask test`"]
fn outside_s5cmd() {
    let outside = Outside::start();
    let file = outside.large();
    let endpoint = outside.endpoint();
    let s5cmd = |line: &str| {
        run(outside
            .tool("s5cmd")
            .arg("--endpoint-url")
            .arg(&endpoint)
            .args(args(line))
            .current_dir(outside.folder.path()))
    };
    s5cmd("mb s3://other");
    s5cmd("cp large.bin s3://models/large.bin");
    s5cmd("cp s3://models/large.bin back.bin");
    outside.same(&file, "back.bin");
    s5cmd("cp s3://models/large.bin s3://other/copy.bin");
    s5cmd("cp s3://other/copy.bin copy.bin");
    outside.same(&file, "copy.bin");
    assert!(s5cmd("ls s3://models/").contains("large.bin"));
    assert!(s5cmd("head s3://models/large.bin").contains("132000000"));
    s5cmd("rm s3://models/*");
    s5cmd("rm s3://other/copy.bin");
    s5cmd("rb s3://other");
    outside.check_memory();
}

#[test]
#[ignore = "needs outside clients: run by `cargo xtask test`"]
fn outside_rclone() {
    let outside = Outside::start();
    let file = outside.large();
    let endpoint = outside.endpoint();
    let rclone = |line: &str| {
        run(outside
            .tool("rclone")
            .env("RCLONE_CONFIG", outside.folder.path().join("rclone.conf"))
            .env("RCLONE_CONFIG_S_TYPE", "s3")
            .env("RCLONE_CONFIG_S_PROVIDER", "Other")
            .env("RCLONE_CONFIG_S_ENV_AUTH", "true")
            .env("RCLONE_CONFIG_S_ENDPOINT", &endpoint)
            .args(args(line))
            .current_dir(outside.folder.path()))
    };
    rclone("mkdir s:fresh");
    rclone("copyto large.bin s:fresh/dir/large.bin");
    rclone("copyto s:fresh/dir/large.bin back.bin");
    outside.same(&file, "back.bin");
    rclone("check --download --one-way large.bin s:fresh/dir");
    std::fs::create_dir(outside.folder.path().join("tree")).unwrap();
    for name in ["a", "b c", "ü"] {
        std::fs::write(outside.folder.path().join("tree").join(name), name).unwrap();
    }
    rclone("sync tree s:fresh/tree");
    rclone("check tree s:fresh/tree");
    let listed = rclone("lsf -R s:fresh");
    for name in ["dir/large.bin", "tree/a", "tree/b c", "tree/ü"] {
        assert!(listed.lines().any(|line| line == name), "{name} is not in\n{listed}");
    }
    rclone("copyto s:fresh/dir/large.bin s:models/copy.bin");
    assert!(rclone("size s:models").contains("132000000"));
    rclone("purge s:fresh");
    outside.check_memory();
}

#[test]
#[ignore = "needs outside clients: run by `cargo xtask test`"]
fn outside_mc() {
    let outside = Outside::start();
    let file = outside.large();
    let host = format!("http://minioadmin:minioadmin@{}", outside.server.address);
    let mc = |line: &str| {
        run(outside.tool("mc").env("MC_HOST_s", &host).args(args(line)).current_dir(outside.folder.path()))
    };
    mc("mb s/fresh");
    mc("cp large.bin s/fresh/large.bin");
    assert!(mc("stat s/fresh/large.bin").contains("large.bin"));
    mc("cp s/fresh/large.bin back.bin");
    outside.same(&file, "back.bin");
    assert!(mc("ls s/fresh").contains("large.bin"));
    mc("cp s/fresh/large.bin s/models/copy.bin");
    mc("rm s/fresh/large.bin");
    mc("rm --recursive --force s/models");
    mc("rb s/fresh");
    outside.check_memory();
}
