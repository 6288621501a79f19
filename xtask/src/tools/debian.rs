//! Uses Debian's packages without installing them: apt downloads them, they are unpacked into a folder, and run from
//! there. Needs no root and changes nothing on the machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::output::say;
use crate::quietly;

/// Unpacks packages, with the dependencies that this machine lacks.
pub(super) fn unpack(packages: &[&str], into: &Path) -> Result<(), String> {
    for program in ["apt-get", "dpkg"] {
        quietly(Command::new(program).arg("--version")).map_err(|_| format!("needs Debian's {program}"))?;
    }
    let missing = match missing(packages) {
        Ok(missing) => missing,
        // A fresh container has no package lists.
        Err(_) if is_root() => {
            quietly(apt().args(["update", "-qq"]))?;
            missing(packages)?
        }
        Err(why) => return Err(format!("needs apt's lists of packages (as root: apt-get update): {why}")),
    };
    say(format_args!("fetching {} and what they depend on: {} packages", packages.join(", "), missing.len()));
    // Remove files of an earlier version.
    let _ = fs::remove_dir_all(into);
    let fetched = into.join("packages");
    fs::create_dir_all(&fetched).map_err(|error| format!("cannot make {}: {error}", fetched.display()))?;
    quietly(apt().args(["download", "-qq"]).args(&missing).current_dir(&fetched))?;
    let list = fs::read_dir(&fetched).map_err(|error| format!("cannot read {}: {error}", fetched.display()))?;
    for package in list.filter_map(Result::ok) {
        quietly(Command::new("dpkg").arg("--extract").arg(package.path()).arg(into))?;
    }
    fs::remove_dir_all(&fetched).map_err(|error| format!("cannot remove {}: {error}", fetched.display()))
}

/// Returns the names of these packages, and of everything that would be installed with them.
fn missing(packages: &[&str]) -> Result<BTreeSet<String>, String> {
    let list = ["install", "--print-uris", "-qq", "--no-install-recommends"];
    let listed = quietly(apt().args(list).args(packages))?;
    let mut missing: BTreeSet<String> = packages.iter().map(|&name| name.to_owned()).collect();
    missing.extend(listed.lines().filter_map(named));
    Ok(missing)
}

/// Parses a line such as `'http://…/libnl-3-200_3.7.0_amd64.deb' libnl-3-200_3.7.0_amd64.deb 63124 MD5Sum:…`.
fn named(line: &str) -> Option<String> {
    let file = line.split_whitespace().nth(1).filter(|file| file.ends_with(".deb"))?;
    Some(file.split('_').next()?.to_owned())
}

fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
    apt
}

fn is_root() -> bool {
    quietly(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_by_their_files() {
        let line = "'http://deb.debian.org/debian/pool/main/l/l/libnl-3-200_3.7.0-0.2%2bb1_amd64.deb' \
                    libnl-3-200_3.7.0-0.2+b1_amd64.deb 63124 MD5Sum:ab";
        assert_eq!(named(line).as_deref(), Some("libnl-3-200"));
        assert_eq!(named("E: something else"), None);
    }
}
