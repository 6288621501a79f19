//! `cargo xtask ci`: every check that a change must pass. Cheap ones come first; after a failure, the others still run.

use std::process::Command;

use crate::report::{Outcome, Report};
use crate::tools::{CARGO_DENY, COMPOSE_CHECK, Tools};
use crate::{
    cargo, circles, config_files, features, fuzz, generate, instructions, package, promises, public_api, quietly, root,
    run as run_command, test,
};

/// The number of fault seeds. `cargo xtask test` uses fewer, to be quicker during development.
const SEEDS: &str = "200";

pub(crate) fn run(report: &mut Report, tools: &Tools) {
    report.step("format", || run_command(&mut cargo(["fmt", "--all", "--check"])));
    report.step("dependency rules", dependency_rules);
    report.step("no faults in a release", no_faults_in_a_release);
    report.step("circles of files", circles::check);
    report.step("tests and files that the documents name", promises::check);
    deny(report, tools);
    compose(report, tools);
    config_files::run(report, tools);
    report.step("clippy", || {
        run_command(&mut cargo(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
    });
    // The tests enable the feature `oidc` in the whole workspace; default builds do not have it.
    report.step("clippy, without the feature oidc", || {
        let packages = ["--package", "modeldepot-server", "--package", "modeldepot-cli", "--lib", "--bins"];
        run_command(cargo(["clippy", "--locked"]).args(packages).args(["--", "-D", "warnings"]))
    });
    features::run(report);
    package::run(report);
    // Only libraries: the command and the library have the same name, so their pages would overwrite each other.
    report.step("documentation", || {
        let flags = "-D warnings -D rustdoc::broken_intra_doc_links";
        run_command(cargo(["doc", "--workspace", "--lib", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", flags))
    });
    report.step("generated files", generate::check);
    public_api::check(report);
    instructions::run(report);
    test::run(report, tools, None, &[("MODELDEPOT_FAULT_SEEDS", SEEDS)]);
    fuzz::run(report, &fuzz::Options::default());
}

/// A dependency that a crate must not have. `deny.toml` has such rules for the whole workspace; these are for single
/// crates.
struct Rule {
    scope: &'static [&'static str],
    banned: &'static [&'static str],
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        scope: &["--package", "modeldepot", "--edges", "normal"],
        banned: &["axum", "clap", "pyo3", "s3s"],
        why: "the library knows no front end and no server",
    },
    Rule {
        scope: &["--package", "modeldepot-listen", "--edges", "normal"],
        banned: &["axum", "modeldepot", "modeldepot-embedded", "modeldepot-server", "s3s"],
        why: "sockets know neither S3 nor models",
    },
    Rule {
        scope: &["--package", "modeldepot-embedded", "--edges", "normal"],
        banned: &["axum", "modeldepot", "modeldepot-server"],
        why: "the S3 server knows no models",
    },
    Rule {
        scope: &["--workspace", "--edges", "normal,build,dev"],
        banned: &["aws-lc-sys", "openssl-sys"],
        why: "one TLS provider, without a C library of the system or a minute of C to build",
    },
];

fn dependency_rules() -> Outcome {
    let mut broken = Vec::new();
    for rule in RULES {
        // All targets, because dependencies for Windows count as well.
        let mut tree = cargo(["tree", "--locked", "--target", "all", "--prefix", "none", "--format", "{p}"]);
        let tree = match quietly(tree.args(rule.scope)) {
            Ok(tree) => tree,
            Err(why) => return Outcome::Failed(why),
        };
        let pulled = |name: &str| tree.lines().any(|line| line.split(' ').next() == Some(name));
        for name in rule.banned.iter().filter(|name| pulled(name)) {
            broken.push(format!("`cargo tree {}` has {name}: {}", rule.scope.join(" "), rule.why));
        }
    }
    if broken.is_empty() { Outcome::Ok } else { Outcome::Failed(broken.join("; ")) }
}

/// Fault injection, ignored conditions and AWS rules of the embedded server are for tests only. Builds of the command's
/// tests include them, because cargo unites the features of everything it builds; what people install must not.
fn no_faults_in_a_release() -> Outcome {
    for package in ["modeldepot-cli", "modeldepot-server"] {
        let mut tree = cargo(["tree", "--locked", "--target", "all", "--prefix", "none", "--format", "{p} {f}"]);
        let tree = match quietly(tree.args(["--package", package, "--edges", "normal,build"])) {
            Ok(tree) => tree,
            Err(why) => return Outcome::Failed(why),
        };
        if tree.lines().any(|line| line.starts_with("modeldepot-embedded ") && line.contains("testing")) {
            return Outcome::Failed(format!("`{package}` is built with the feature `testing` of the embedded server"));
        }
    }
    Outcome::Ok
}

fn deny(report: &mut Report, tools: &Tools) {
    let program = tools.get(&CARGO_DENY);
    let deny = |args: &[&str]| {
        let mut command = Command::new(program.as_ref().map_or("cargo-deny".as_ref(), |path| path.as_os_str()));
        command.args(["--locked", "--all-features"]).args(args).current_dir(root());
        command
    };
    if let Err(why) = &program {
        report.step("licences, bans, sources", || Outcome::Skipped(why.clone()));
        report.step("advisories", || Outcome::Skipped(why.clone()));
        return;
    }
    // Without dependency graphs, which would add a thousand lines for the duplicates; `cargo tree --invert NAME` prints
    // them.
    report.step("licences, bans, sources", || {
        run_command(&mut deny(&["check", "--hide-inclusion-graph", "licenses", "bans", "sources"]))
    });
    report.step("advisories", || match quietly(&mut deny(&["fetch", "db"])) {
        Ok(_) => run_command(&mut deny(&["check", "--disable-fetch", "advisories"])).into(),
        Err(why) => Outcome::OutOfReach(format!("no advisory database: {why}")),
    });
}

/// Checks `docker-compose.yml` with Docker's plug-in, or with the loader that it uses.
fn compose(report: &mut Report, tools: &Tools) {
    let mut docker = Command::new("docker");
    docker.args(["compose", "--profile", "*", "config", "--quiet"]).current_dir(root());
    if quietly(Command::new("docker").args(["compose", "version"])).is_ok() {
        report.step("docker-compose.yml, by docker compose", || run_command(&mut docker));
        return;
    }
    report.step("docker-compose.yml, by the loader of docker compose", || match tools.get(&COMPOSE_CHECK) {
        Ok(program) => quietly(Command::new(program).arg("docker-compose.yml").current_dir(root())).map(drop).into(),
        Err(why) => Outcome::Skipped(why),
    });
}
