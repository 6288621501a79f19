//! Builds the packages for crates.io, and checks that they compile on their own.
//!
//! `cargo package` can verify them, but rebuilds every dependency for it. Here they are only type-checked, all at once.
//! This finds missing files, missing versions, and features that only the workspace enables, in a fraction of the time.

use std::fs;
use std::process::Command;

use crate::report::{Outcome, Report};
use crate::{cargo, clean, quietly, root, run as run_command};

/// In the order of publishing: each depends only on those before it.
const PACKAGES: [&str; 5] =
    ["modeldepot-listen", "modeldepot-embedded", "modeldepot", "modeldepot-server", "modeldepot-cli"];

/// The largest package size allowed. crates.io accepts 10 MiB; this catches test data that was included by mistake.
const AT_MOST: u64 = 1 << 20;

pub(crate) fn run(report: &mut Report) {
    let packed = report.step_with("packages", || all_are_known().and_then(|()| pack()).map_err(Outcome::Failed));
    if packed.is_some() {
        report.step("packages, compiled on their own", check);
    }
}

/// Builds all packages, and checks that each contains the required files.
fn pack() -> Result<(), String> {
    let folder = root().join("target/package");
    let _ = fs::remove_dir_all(&folder);
    let mut command = cargo(["package", "--locked", "--no-verify", "--allow-dirty"]);
    command.args(PACKAGES.iter().flat_map(|name| ["--package", name]));
    run_command(&mut command)?;
    for name in PACKAGES {
        let path = folder.join(file_name(name));
        let size = fs::metadata(&path).map_err(|error| format!("{}: {error}", path.display()))?.len();
        if size > AT_MOST {
            return Err(format!("`{name}` has {size} bytes when packed, where {AT_MOST} are allowed"));
        }
        let listed = quietly(Command::new("tar").arg("-tzf").arg(&path))?;
        let has = |file: &str| listed.lines().any(|line| line.ends_with(&format!("/{file}")));
        if let Some(missing) =
            ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "Cargo.toml"].iter().find(|file| !has(file))
        {
            return Err(format!("`{name}` is packed without {missing}"));
        }
    }
    Ok(())
}

/// The library's examples, as they are packed.
const EXAMPLES: [&str; 3] = ["push", "pull", "presign"];

/// Type-checks the packages in a separate workspace that only shares the lock file and the profiles. The examples are
/// among them, as a program that depends on the packages as an outsider would.
fn check() -> Result<(), String> {
    let io = |error| format!("cannot write under target/package: {error}");
    let folder = root().join("target/package/alone");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(io)?;
    for name in PACKAGES {
        let path = root().join("target/package").join(file_name(name));
        quietly(Command::new("tar").arg("-xzf").arg(path).arg("-C").arg(&folder))?;
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).map_err(|error| format!("Cargo.toml: {error}"))?;
    fs::write(folder.join("Cargo.toml"), workspace(&manifest)).map_err(io)?;
    fs::create_dir_all(folder.join(PROGRAM)).map_err(io)?;
    fs::write(folder.join(PROGRAM).join("Cargo.toml"), program()).map_err(io)?;
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).map_err(io)?;
    let mut command = Command::new("cargo");
    // Offline: cargo may remove unused packages from the lock file, but change nothing else.
    command.args(["check", "--workspace", "--offline", "--features", "modeldepot-cli/oidc"]);
    command.arg("--target-dir").arg(root().join("target"));
    run_command(clean(&mut command).current_dir(&folder))
}

/// Returns the manifest of a workspace for the unpacked packages, with our profiles, so that compiled dependencies can
/// be reused.
fn workspace(ours: &str) -> String {
    let profiles = ours.find("[profile.").map_or("", |start| &ours[start..]);
    let folder = |name: &&str| file_name(name).trim_end_matches(".crate").to_owned();
    let members: Vec<String> = PACKAGES.iter().map(|name| format!("\"{}\"", folder(name))).collect();
    let members = format!("{}, \"{PROGRAM}\"", members.join(", "));
    let patches: Vec<String> =
        PACKAGES.iter().map(|name| format!("{name} = {{ path = \"{}\" }}\n", folder(name))).collect();
    format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{members}]\n\n[patch.crates-io]\n{}\n{profiles}",
        patches.concat()
    )
}

/// The folder of the program that has the library's examples.
const PROGRAM: &str = "program";

/// Returns the manifest of that program.
fn program() -> String {
    let library = file_name("modeldepot");
    let library = library.trim_end_matches(".crate");
    let examples = EXAMPLES
        .map(|name| format!("[[bin]]\nname = \"example-{name}\"\npath = \"../{library}/examples/{name}.rs\"\n\n"));
    format!(
        "[package]\nname = \"{PROGRAM}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n{}\
         [dependencies]\nmodeldepot = \"{}\"\ntokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }}\n",
        examples.concat(),
        env!("CARGO_PKG_VERSION")
    )
}

fn file_name(package: &str) -> String {
    format!("{package}-{}.crate", env!("CARGO_PKG_VERSION"))
}

/// Fails if a crate is neither packaged here nor marked `publish = false`.
fn all_are_known() -> Result<(), String> {
    let crates = root().join("crates");
    let entries = fs::read_dir(&crates).map_err(|error| format!("cannot read crates: {error}"))?;
    for manifest in entries.flatten().map(|entry| entry.path().join("Cargo.toml")) {
        let Ok(text) = fs::read_to_string(&manifest) else { continue };
        if let Some(stranger) = unknown(&text) {
            return Err(format!("`{stranger}` is neither in xtask/src/package.rs nor has it `publish = false`"));
        }
    }
    Ok(())
}

/// Returns the name of a package that would be published without a check.
fn unknown(manifest: &str) -> Option<&str> {
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))?;
    let kept = manifest.lines().any(|line| line.trim() == "publish = false");
    (!kept && !PACKAGES.contains(&name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_crate_is_packed_or_kept() {
        assert_eq!(unknown("[package]\nname = \"modeldepot-new\"\n"), Some("modeldepot-new"));
        assert_eq!(unknown("[package]\nname = \"modeldepot-new\"\npublish = false\n"), None);
        assert_eq!(unknown("[package]\nname = \"modeldepot\"\n"), None);
    }

    #[test]
    fn the_workspace_of_the_packages_has_our_profiles() {
        let made = workspace("[workspace]\nmembers = []\n\n[profile.dev]\ndebug = 1\n");
        assert!(made.ends_with("\n[profile.dev]\ndebug = 1\n"), "{made}");
        assert!(made.contains("modeldepot-listen = { path = \"modeldepot-listen-"), "{made}");
    }
}
