//! `cargo xtask ci`: everything that a change must pass. Cheap checks first; a failure does not hide the next.

use std::process::Command;

use crate::report::{Outcome, Report};
use crate::tools::{CARGO_DENY, COMPOSE_CHECK, Tools};
use crate::{
    cargo, circles, config_files, features, fuzz, generate, instructions, package, promises, public_api, quietly, root,
    run as run_command, test,
};

/// Seeds of faults. `cargo xtask test` runs fewer, which is quicker while one works.
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
    // The tests turn the feature `oidc` on for all of them: this is what a first build has.
    report.step("clippy, without the feature oidc", || {
        let packages = ["--package", "modeldepot-server", "--package", "modeldepot-cli", "--lib", "--bins"];
        run_command(cargo(["clippy", "--locked"]).args(packages).args(["--", "-D", "warnings"]))
    });
    features::run(report);
    package::run(report);
    // --lib: the command and the library have the same name, so their pages would overwrite each other.
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

/// Who may never depend on what. `deny.toml` says it of the whole workspace; this adds whose business it is.
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
        // Every target: what only Windows would pull counts as well.
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

/// The embedded server fails, ignores conditions and plays AWS only for tests. Tests of the command do get that, for their
/// builds unite the features of all that is built; what people install must not.
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
    // Without the graphs, which would be a thousand lines for the duplicates: `cargo tree --invert NAME` has them.
    report.step("licences, bans, sources", || {
        run_command(&mut deny(&["check", "--hide-inclusion-graph", "licenses", "bans", "sources"]))
    });
    report.step("advisories", || match quietly(&mut deny(&["fetch", "db"])) {
        Ok(_) => run_command(&mut deny(&["check", "--disable-fetch", "advisories"])).into(),
        Err(why) => Outcome::OutOfReach(format!("no advisory database: {why}")),
    });
}

/// Has `docker-compose.yml` read by Docker's own plug-in, or by the loader inside it.
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
