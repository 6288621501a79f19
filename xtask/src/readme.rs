//! Runs the code blocks of README.md in order, in one shell and an empty folder, with the command and the wheel that
//! were just built.
//!
//! `sh` blocks run in one `bash -euo pipefail`, `python` blocks with the Python that has the wheel. All other blocks,
//! and those that only illustrate something, need `<!-- not run: REASON -->` on the line above. Differences from
//! pasting the blocks:
//!
//! - After a block with a background command, the test waits for the console, as a reader waits for `modeldepot is up`.
//! - If 9000 or 9001 is taken, other ports replace both ([`Ports`]). The output says so.
//! - `MODELDEPOT_LOGIN=never`: on a machine with several users, `up` would require the key pair that it prints.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::command::built_command;
use crate::output::{pass_on, say};
use crate::servers::free_ports;
use crate::{announce, quietly, root};

const README: &str = "README.md";

/// Marks a block that is not run, followed by the reason.
const NOT_RUN: &str = "<!-- not run:";

/// Far more than the tour takes, so that only a hanging command reaches it.
const PATIENCE: Duration = Duration::from_secs(600);

/// Kills the process group when our end of the pipe closes, even after Ctrl-C or `kill -9`.
const WATCHDOG: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
tour=$!
{ cat <&3 >/dev/null; kill -KILL 0; } &
wait "$tour"
"#;

/// Runs the blocks with the Python of an environment that has the wheel.
pub(crate) fn run(python: &Path) -> Result<(), String> {
    let text = fs::read_to_string(root().join(README)).map_err(|error| format!("{README}: {error}"))?;
    let blocks = blocks(&text)?;
    for language in [Language::Shell, Language::Python] {
        if blocks.iter().all(|block| block.language != language) {
            return Err(format!("{README} has no {language:?} block that is run"));
        }
    }
    missing_links(&text)?;
    let tour = Tour::new(python)?;
    let ports = Ports::choose()?;
    tour.run(&blocks, &ports)
}

/// A block to run.
#[derive(Debug, PartialEq, Eq)]
struct Block<'a> {
    language: Language,
    /// Its first line, counted from 1.
    line: usize,
    text: Vec<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Shell,
    Python,
}

/// Returns the blocks to run, or an error for one that is neither run nor marked.
fn blocks(text: &str) -> Result<Vec<Block<'_>>, String> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    let mut above = "";
    while let Some((index, line)) = lines.next() {
        let fence = line.trim_start();
        if !fence.starts_with("```") && !fence.starts_with("~~~") {
            above = line;
            continue;
        }
        let number = index + 1;
        let at = |what: &str| format!("{README}:{number}: {what}");
        let end = &fence[..3];
        let mut body = Vec::new();
        loop {
            match lines.next() {
                Some((_, line)) if line.trim_start().starts_with(end) => break,
                Some((_, line)) => body.push(line),
                None => return Err(at("the block has no end")),
            }
        }
        let marked = above.trim().strip_prefix(NOT_RUN).and_then(|rest| rest.strip_suffix("-->"));
        above = "";
        if let Some(reason) = marked {
            if reason.trim().is_empty() {
                return Err(at("say why the block is not run"));
            }
            continue;
        }
        let language = match fence[3..].trim() {
            "sh" => Language::Shell,
            "python" => Language::Python,
            other => {
                let why = format!("a `{other}` block is not run: put `{NOT_RUN} REASON -->` on the line above it");
                return Err(at(&why));
            }
        };
        found.push(Block { language, line: number, text: body });
    }
    Ok(found)
}

/// Fails for links into the repository whose target does not exist.
fn missing_links(text: &str) -> Result<(), String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let local = targets.filter(|target| !target.is_empty() && !target.contains("://"));
    let missing: Vec<&str> = local.filter(|target| !root().join(target).exists()).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("{README} links to {}: no such file", missing.join(", "))) }
}

/// The ports of the S3 server and the console.
#[derive(Debug, PartialEq, Eq)]
enum Ports {
    /// 9000 and 9001.
    AsWritten,
    Others(u16, u16),
}

impl Ports {
    fn choose() -> Result<Self, String> {
        // Bind as the server does: a recently closed port does not count as taken.
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free(9000) && free(9001) {
            return Ok(Self::AsWritten);
        }
        let [s3, console] = free_ports()?;
        say(format_args!("ports 9000 and 9001 are not both free: {s3} and {console} replace them in {README}"));
        Ok(Self::Others(s3, console))
    }

    fn console(&self) -> u16 {
        match self {
            Self::AsWritten => 9001,
            Self::Others(_, console) => *console,
        }
    }

    /// Replaces the ports in a line.
    fn replace(&self, line: &str) -> String {
        match self {
            Self::AsWritten => line.to_owned(),
            Self::Others(s3, console) => line
                .replace(
                    "modeldepot up",
                    &format!("modeldepot up --listen 127.0.0.1:{s3} --console 127.0.0.1:{console}"),
                )
                .replace("localhost:9001", &format!("localhost:{console}")),
        }
    }
}

/// The folders of a run, removed at the end.
struct Tour {
    folder: PathBuf,
    path: String,
}

impl Drop for Tour {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Tour {
    fn new(python: &Path) -> Result<Self, String> {
        // Outside the checkout, whose `.env` would be found otherwise.
        let folder = std::env::temp_dir().join(format!("modeldepot-readme-{}", std::process::id()));
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        let _ = fs::remove_dir_all(&folder);
        for name in ["bin", "blocks", "empty", "home"] {
            fs::create_dir_all(folder.join(name)).map_err(failed)?;
        }
        // The command built by cargo, not the one in the wheel.
        symlink(built_command(), folder.join("bin/modeldepot")).map_err(failed)?;
        let environment = python.parent().unwrap_or(python).display();
        let before = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{environment}:{before}", folder.join("bin").display());
        Ok(Self { folder, path })
    }

    fn run(&self, blocks: &[Block<'_>], ports: &Ports) -> Result<(), String> {
        let script = self.folder.join("tour.sh");
        let text = self.script(blocks, ports)?;
        fs::write(&script, text).map_err(|error| format!("{}: {error}", script.display()))?;
        let mut command = Command::new("sh");
        command.args(["-c", WATCHDOG, "watchdog", "bash", "-euo", "pipefail"]).arg(&script);
        command.current_dir(self.folder.join("empty")).stdin(Stdio::piped()).process_group(0);
        for (name, _) in std::env::vars_os() {
            let counts = name.to_str().is_some_and(|name| {
                ["S3_", "AWS_", "MODELDEPOT_", "PYTHON"].iter().any(|start| name.starts_with(start))
            });
            if counts {
                command.env_remove(name);
            }
        }
        command.env("PATH", &self.path).env("HOME", self.folder.join("home")).env("MODELDEPOT_LOGIN", "never");
        if let Ports::Others(s3, _) = ports {
            command.env("S3_ENDPOINT", format!("http://localhost:{s3}"));
        }
        announce(&command);
        // Unlike a pipe, a file can be read to its end even if a server is still running.
        let log = self.folder.join("tour.log");
        let failed = |error: std::io::Error| format!("{}: {error}", log.display());
        let file = fs::File::create(&log).map_err(failed)?;
        command.stdout(file.try_clone().map_err(failed)?).stderr(file);
        let mut child = command.spawn().map_err(|error| format!("cannot start sh: {error}"))?;
        let began = Instant::now();
        let ended = loop {
            match child.try_wait() {
                Ok(None) if began.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(100)),
                Ok(None) => break Err(format!("{README} did not end in {PATIENCE:?}")),
                Ok(Some(status)) if status.success() => break Ok(()),
                Ok(Some(status)) => break Err(format!("{README}: a line failed, see above ({status})")),
                Err(error) => break Err(format!("cannot wait for sh: {error}")),
            }
        };
        // Kill what a failed tour leaves running; after a successful one this is at most the watchdog's `cat`.
        let _ = quietly(Command::new("kill").arg("-KILL").arg("--").arg(format!("-{}", child.id())));
        let _ = child.wait();
        pass_on(&fs::read(&log).map_err(failed)?);
        ended
    }

    /// Joins all blocks into one script, so that `kill %1` in the last one refers to the job of the first.
    fn script(&self, blocks: &[Block<'_>], ports: &Ports) -> Result<String, String> {
        let mut script = format!("trap 'echo \"{README}:$block: this block failed at: $BASH_COMMAND\" >&2' ERR\n");
        for block in blocks {
            let lines: Vec<String> = block.text.iter().map(|line| ports.replace(line)).collect();
            let text = lines.join("\n");
            let _ = writeln!(script, "block={}\necho \"--- {README}:$block\"", block.line);
            match block.language {
                Language::Shell => {
                    let _ = writeln!(script, "{text}");
                    if lines.iter().any(|line| is_in_background(line)) {
                        let _ = write!(script, "{}", awaited(ports.console()));
                    }
                }
                Language::Python => {
                    let file = self.folder.join(format!("blocks/{}.py", block.line));
                    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
                    let _ = writeln!(script, "python3 '{}'", file.display());
                }
            }
        }
        // If the tour did not stop a server, this does not end.
        script.push_str("wait\n");
        Ok(script)
    }
}

fn is_in_background(line: &str) -> bool {
    let command = line.split(" #").next().unwrap_or_default().trim_end();
    command.ends_with('&') && !command.ends_with("&&")
}

/// Waits for the console while the background command runs.
fn awaited(console: u16) -> String {
    format!(
        "until curl -fs -o /dev/null http://127.0.0.1:{console}/healthz; do\n  \
         kill -0 $! || {{ echo \"{README}:$block: the background command ended\" >&2; exit 1; }}\n  sleep 0.2\ndone\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sh_and_python_blocks_are_run() {
        let text = "a\n```sh\none\ntwo\n```\n\n```python\nthree\n```\n<!-- not run: output -->\n```text\nfour\n```\n";
        let shell = Block { language: Language::Shell, line: 2, text: vec!["one", "two"] };
        let python = Block { language: Language::Python, line: 7, text: vec!["three"] };
        assert_eq!(blocks(text), Ok(vec![shell, python]));
    }

    #[test]
    fn a_block_that_is_neither_run_nor_marked_fails() {
        for fence in ["```", "```console", "```bash", "~~~text", "  ```json"] {
            let text = format!("words\n{fence}\nx\n{}\n", &fence.trim()[..3]);
            let why = blocks(&text).unwrap_err();
            assert!(why.starts_with("README.md:2: ") && why.contains("not run"), "{why}");
        }
    }

    #[test]
    fn a_mark_needs_a_reason_and_counts_for_one_block() {
        assert!(blocks("<!-- not run: -->\n```sh\nx\n```\n").unwrap_err().contains("say why"));
        let two = "<!-- not run: output -->\n```text\nx\n```\n```text\ny\n```\n";
        assert!(blocks(two).unwrap_err().starts_with("README.md:5: "));
        let apart = "<!-- not run: output -->\n\n```text\nx\n```\n";
        assert!(blocks(apart).unwrap_err().starts_with("README.md:3: "));
        assert!(blocks("```sh\nx\n").unwrap_err().contains("no end"));
    }

    #[test]
    fn other_ports_replace_those_of_the_page() {
        let ports = Ports::Others(1, 2);
        let up = "modeldepot up --listen 127.0.0.1:1 --console 127.0.0.1:2 &";
        assert_eq!(ports.replace("modeldepot up &"), up);
        assert_eq!(ports.replace("curl localhost:9001/api"), "curl localhost:2/api");
        assert_eq!(Ports::AsWritten.replace("curl localhost:9001/api"), "curl localhost:9001/api");
    }

    #[test]
    fn background_commands_are_told_from_lists() {
        assert!(is_in_background("modeldepot up &") && is_in_background("up &   # a server"));
        assert!(!is_in_background("a &&") && !is_in_background("curl 'a&b'"));
    }

    #[test]
    fn a_link_to_a_missing_file_is_noticed() {
        assert_eq!(missing_links("[a](README.md) [b](https://x/y) [c](docs/rest.md#who) [d](#here)"), Ok(()));
        assert!(missing_links("[a](docs/absent.md)").unwrap_err().contains("docs/absent.md"));
    }
}
