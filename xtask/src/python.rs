//! The Python package: builds its wheel, and runs its tests in clean environments.
//!
//! ```text
//! target/python/wheels/     the wheel of the last build
//! target/python/alone-3.9/  an environment with only the wheel
//! target/python/tests-3.9/  one with the tests' dependencies, for the oldest and the newest Python on this machine
//! ```
//!
//! The wheel and the environments are only rebuilt after changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::tallied;
use crate::output::say;
use crate::report::{Lane, Outcome, Report, Tally};
use crate::servers::Server;
use crate::tools::{MATURIN, Tools};
use crate::{built, clean, quietly, readme, root, run as run_command};

const REQUIREMENTS: &str = "bindings/python/tests/requirements.txt";

/// Requirements for the newest Python only: frameworks, the notebook, type checkers and linters.
const NEWEST: &str = "bindings/python/tests/requirements-newest.txt";

/// Test files that need them.
const NEEDS_NEWEST: [&str; 2] = ["tests/test_callbacks.py", "tests/test_examples.py"];

/// Tests that run at once. They mostly wait for servers.
const AT_ONCE: &str = "4";

/// Names a Python that has PyTorch and Lightning: 6 GB, too much to install for everyone.
const TORCH_PYTHON: &str = "MODELDEPOT_TORCH_PYTHON";

/// The oldest Python that the wheel supports.
const OLDEST: (u32, u32) = (3, 9);

/// The wheel, and the Pythons to test it with.
pub(crate) struct Ready {
    wheel: PathBuf,
    oldest: Python,
    newest: Python,
    /// The newest Python, with all requirements.
    python: PathBuf,
}

/// Builds the wheel, and the environment of the newest Python.
pub(crate) fn prepare(report: &mut Report, tools: &Tools) -> Option<Ready> {
    let wheel = report.step_with("python: wheel", || wheel(tools))?;
    let mut pythons = report.step_with("python: which", pythons)?;
    let newest = pythons.pop()?;
    let python = environment(report, &newest, &wheel)?;
    let oldest = if pythons.is_empty() { newest.clone() } else { pythons.swap_remove(0) };
    Some(Ready { wheel, oldest, newest, python })
}

/// Returns all tests: on the oldest Python, and on the newest with the running servers.
pub(crate) fn lanes<'a>(ready: &'a Ready, servers: Vec<&'a Server>) -> Vec<Lane<'a>> {
    let Ready { wheel, oldest, newest, python } = ready;
    let on_the_newest = move |report: &mut Report| {
        report.step("README, as written", || readme::run(python));
        let mut tally = Tally::default();
        report.step(&format!("python: tests on {}", newest.name()), || {
            tallied(&mut pytest(python, "not torch", None), &mut tally)
        });
        report.step("python: tests with PyTorch and Lightning", || with_torch(wheel, &mut tally));
        report.count(tally);
        check(report, python);
    };
    let on_the_oldest = move |report: &mut Report| {
        let step = format!("python: the documentation's snippets on {}, with the wheel alone", oldest.name());
        report.step(&step, || alone(oldest, wheel, &servers));
        if oldest.version == newest.version {
            return;
        }
        let mut tally = Tally::default();
        report.step(&format!("python: tests on {}", oldest.name()), || {
            let python = oldest.environment("tests", &[REQUIREMENTS], wheel)?;
            let mut pytest = pytest(&python, "not torch and not long", None);
            for file in NEEDS_NEWEST {
                pytest.args(["--ignore", file]);
            }
            tallied(&mut pytest, &mut tally).map_err(Outcome::Failed)
        });
        report.count(tally);
    };
    vec![Box::new(on_the_newest), Box::new(on_the_oldest)]
}

/// Runs the tests selected by pytest's `-k`, on the newest Python only.
pub(crate) fn some(report: &mut Report, ready: &Ready, filter: &str) {
    let mut tally = Tally::default();
    report.step(&format!("python: tests on {}", ready.newest.name()), || {
        tallied(&mut pytest(&ready.python, "not torch", Some(filter)), &mut tally)
    });
    report.count(tally);
}

/// The verb `readme`: builds the command and the wheel, and runs README.md with them.
pub(crate) fn readme(report: &mut Report, tools: &Tools) {
    // Built together with the tests: alone, the command would need half of the tree with other features.
    if report.step_with("build", || built::build().map_err(Outcome::Failed)).is_none() {
        return;
    }
    if let Some(ready) = prepare(report, tools) {
        report.step("README, as written", || readme::run(&ready.python));
    }
}

/// Returns the Python with all requirements.
fn environment(report: &mut Report, newest: &Python, wheel: &Path) -> Option<PathBuf> {
    report.step_with(&format!("python: environment of {}", newest.name()), || {
        newest.environment("tests", &[REQUIREMENTS, NEWEST], wheel)
    })
}

/// Runs the tests that need PyTorch, in an environment that the user provides.
fn with_torch(wheel: &Path, tally: &mut Tally) -> Outcome {
    let Some(python) = std::env::var_os(TORCH_PYTHON).map(PathBuf::from) else {
        let why = format!("they are 6 GB; {TORCH_PYTHON} names a Python that has them and {REQUIREMENTS}");
        return Outcome::OutOfReach(why);
    };
    install(&python, wheel).and_then(|()| tallied(&mut pytest(&python, "torch", None), tally)).into()
}

/// Checks types and style.
fn check(report: &mut Report, python: &Path) {
    let cache = |name: &str| root().join("target/python").join(name);
    let module = |name: &str| {
        let mut command = in_package(python);
        command.args(["-m", name]);
        command
    };
    report.step("python: mypy", || {
        run_command(module("mypy").arg("--cache-dir").arg(cache("mypy")).args(["python/modeldepot", "tests"]))
    });
    report.step("python: stubs", || {
        let mut stubtest = module("mypy.stubtest");
        // Not in the package's folder, where it would find the sources without the compiled module.
        stubtest.current_dir(cache("")).arg("modeldepot._modeldepot").arg("--mypy-config-file");
        run_command(stubtest.arg(root().join("bindings/python/pyproject.toml")))
    });
    report.step("python: pyright", || {
        let pyright = || {
            let mut pyright = module("pyright");
            // By default it would install itself into the home folder.
            pyright.env("PYRIGHT_PYTHON_CACHE_DIR", cache("pyright")).env("PYRIGHT_PYTHON_IGNORE_WARNINGS", "1");
            pyright
        };
        match quietly(pyright().arg("--version")) {
            Ok(_) => run_command(pyright().args(["--project", "pyproject.toml", "--pythonpath"]).arg(python)).into(),
            Err(why) => Outcome::Skipped(format!("needs node and npm's registry: {why}")),
        }
    });
    report.step("python: style", || {
        let paths = ["python", "tests", "../../examples"];
        let ruff = |verb: &[&str]| {
            run_command(module("ruff").args(verb).args(["--no-cache", "--config", "pyproject.toml"]).args(paths))
        };
        ruff(&["check"]).and_then(|()| ruff(&["format", "--check"]))
    });
}

/// Builds the wheel, reusing cargo's build.
fn wheel(tools: &Tools) -> Result<PathBuf, Outcome> {
    let maturin = tools.get(&MATURIN).map_err(Outcome::Skipped)?;
    let [built, wheels] = ["built", "wheels"].map(|name| root().join("target/python").join(name));
    // The previous wheel may have another name.
    let _ = fs::remove_dir_all(&built);
    let mut build = Command::new(maturin);
    build.args(["build", "--quiet", "--locked", "--profile", "dev", "--manifest-path"]);
    build.arg(root().join("bindings/python/Cargo.toml")).arg("--out").arg(&built).current_dir(root());
    // The earliest time in a zip archive, so that equal contents give an equal wheel.
    build.env("SOURCE_DATE_EPOCH", "315532800");
    run_command(clean(&mut build)).map_err(Outcome::Failed)?;
    let found = fs::read_dir(&built).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).next();
    let found = found.ok_or_else(|| Outcome::Failed("maturin made no wheel".to_owned()))?;
    let wheel = wheels.join(found.file_name().unwrap_or_default());
    // Replaced only if it differs, so that environments can tell whether they are up to date.
    if !matches!((fs::read(&found), fs::read(&wheel)), (Ok(new), Ok(old)) if new == old) {
        let _ = fs::remove_dir_all(&wheels);
        let moved = fs::create_dir_all(&wheels).and_then(|()| fs::rename(&found, &wheel));
        moved.map_err(|error| Outcome::Failed(format!("{}: {error}", wheel.display())))?;
    }
    Ok(wheel)
}

/// A Python on this machine.
#[derive(Clone)]
pub(crate) struct Python {
    program: PathBuf,
    version: (u32, u32),
}

/// Returns the supported Pythons on this machine, oldest first, one per version.
fn pythons() -> Result<Vec<Python>, Outcome> {
    let mut found: Vec<Python> = Vec::new();
    let mut programs = vec![PathBuf::from("python3")];
    programs.extend((OLDEST.1..20).map(|minor| PathBuf::from(format!("python3.{minor}"))));
    // pyenv's Pythons may not be on the path.
    let pyenv = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let pyenv = pyenv.or_else(|| std::env::home_dir().map(|home| home.join(".pyenv")));
    for entry in pyenv.iter().flat_map(|pyenv| fs::read_dir(pyenv.join("versions"))).flatten().flatten() {
        programs.push(entry.path().join("bin/python3"));
    }
    for program in programs {
        let asked = quietly(Command::new(&program).args(["-c", "import sys; print(*sys.version_info[:2])"]));
        let Ok(said) = asked else { continue };
        let mut numbers = said.split_whitespace().filter_map(|number| number.parse().ok());
        let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else { continue };
        if (major, minor) >= OLDEST && found.iter().all(|python| python.version != (major, minor)) {
            found.push(Python { program, version: (major, minor) });
        }
    }
    found.sort_by_key(|python| python.version);
    if found.is_empty() { Err(Outcome::Skipped("needs python3, 3.9 or newer".to_owned())) } else { Ok(found) }
}

impl Python {
    fn name(&self) -> String {
        format!("{}.{}", self.version.0, self.version.1)
    }

    /// Returns the Python of an environment with these requirements and the wheel, rebuilding it after changes.
    fn environment(&self, name: &str, requirements: &[&str], wheel: &Path) -> Result<PathBuf, Outcome> {
        let folder = root().join("target/python").join(format!("{name}-{}", self.name()));
        let python = folder.join("bin/python");
        let texts = requirements.iter().map(|file| fs::read_to_string(root().join(file)).unwrap_or_default());
        // Programs in a Python environment contain its absolute path, so a moved checkout needs a new one.
        let made = Stamp::new(&folder, "made", format!("{}\n{}", folder.display(), texts.collect::<String>()));
        if !made.is_there() {
            say(format_args!("making a Python {} environment in {}", self.name(), folder.display()));
            quietly(Command::new(&self.program).args(["-m", "venv", "--clear"]).arg(&folder))
                .map_err(|why| Outcome::Skipped(format!("needs python3 with `venv`: {why}")))?;
            if !requirements.is_empty() {
                say(format_args!("installing {}", requirements.join(" and ")));
                let mut pip = Command::new(&python);
                pip.args(["-m", "pip", "install", "--quiet", "--no-input"]).current_dir(root());
                for file in requirements {
                    pip.args(["--requirement", file]);
                }
                quietly(&mut pip).map_err(Outcome::Skipped)?;
            }
            made.set()?;
        }
        let when = fs::metadata(wheel).and_then(|found| found.modified());
        let installed = Stamp::new(&folder, "installed", format!("{wheel:?} of {when:?}"));
        if !installed.is_there() {
            install(&python, wheel).map_err(Outcome::Failed)?;
            installed.set()?;
        }
        Ok(python)
    }
}

/// A file that records what a folder was made from.
struct Stamp {
    path: PathBuf,
    text: String,
}

impl Stamp {
    fn new(folder: &Path, name: &str, text: String) -> Self {
        Self { path: folder.join(name), text }
    }

    fn is_there(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|found| found == self.text)
    }

    fn set(&self) -> Result<(), Outcome> {
        fs::write(&self.path, &self.text).map_err(|error| Outcome::Failed(format!("{}: {error}", self.path.display())))
    }
}

/// Installs the wheel without dependencies, replacing the previous one.
fn install(python: &Path, wheel: &Path) -> Result<(), String> {
    let alone = ["-m", "pip", "install", "--quiet", "--no-input", "--no-index", "--no-deps", "--force-reinstall"];
    quietly(Command::new(python).args(alone).arg(wheel)).map(drop)
}

/// Runs the snippets of the Python pipeline's documentation on the embedded server, and on those that are running.
fn alone(python: &Python, wheel: &Path, servers: &[&Server]) -> Result<(), Outcome> {
    let python = python.environment("alone", &[], wheel)?;
    let endpoints = servers.iter().map(|server| server.endpoint.as_str());
    for endpoint in [None].into_iter().chain(endpoints.map(Some)) {
        let mut script = Command::new(&python);
        script.arg("bindings/python/tests/document.py").args(endpoint).current_dir(root());
        run_command(&mut script).map_err(Outcome::Failed)?;
    }
    Ok(())
}

/// Returns a command of a Python in the package's folder that leaves no files there.
fn in_package(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.current_dir(root().join("bindings/python"));
    command.env("PYTHONPYCACHEPREFIX", root().join("target/python/pycache"));
    command
}

/// Returns pytest for the tests with these marks.
fn pytest(python: &Path, marks: &str, filter: Option<&str>) -> Command {
    let mut pytest = in_package(python);
    pytest.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", AT_ONCE, "-m", marks]);
    if let Some(filter) = filter {
        pytest.args(["-k", filter]);
    }
    pytest
}
