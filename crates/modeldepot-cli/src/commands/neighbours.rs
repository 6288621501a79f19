//! Detects other users of the host, who can connect to loopback ports.

use std::path::Path;

/// The range of user ids of people, by convention.
const PEOPLE: std::ops::Range<u32> = 1000..60_000;

/// Other login accounts that do not imply other people: images of containers and CI runners have one.
const USUAL: usize = 1;

/// Returns true if another user is logged in or runs a process, or if there are several other login accounts.
pub(super) fn others() -> bool {
    #[cfg(unix)]
    {
        let own = rustix::process::getuid().as_raw();
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        are_others(own, &passwd, Path::new("/run/user"), Path::new("/proc"))
    }
    #[cfg(not(unix))]
    {
        false
    }
}

#[cfg(unix)]
fn are_others(own: u32, passwd: &str, sessions: &Path, processes: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let other = |uid: u32| PEOPLE.contains(&uid) && uid != own;
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |entry: &std::fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    // A session folder is named after its user id; a process folder belongs to its user.
    let logged_in = || entries(sessions).filter_map(|entry| number(&entry)).any(other);
    let at_work = || {
        let owners = entries(processes).filter(|entry| number(entry).is_some());
        owners.filter_map(|entry| Some(entry.metadata().ok()?.uid())).any(other)
    };
    accounts(passwd).filter(|uid| other(*uid)).count() > USUAL || logged_in() || at_work()
}

/// Returns the accounts with a login shell.
#[cfg(unix)]
fn accounts(passwd: &str) -> impl Iterator<Item = u32> {
    passwd.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [_, _, uid, _, _, _, shell] = fields[..] else { return None };
        let none = shell.is_empty() || ["nologin", "false"].contains(&shell.rsplit('/').next()?);
        uid.parse().ok().filter(|_| !none)
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const IMAGE: &str = "root:x:0:0:root:/root:/bin/bash\nwww:x:33:33::/var/www:/usr/sbin/nologin\n\
        ubuntu:x:1000:1000::/home/ubuntu:/bin/bash\nnobody:x:65534:65534::/:/usr/sbin/nologin\n";

    #[test]
    fn a_host_of_one_user_is_told_from_one_of_several() {
        let folder = tempfile::tempdir().unwrap();
        let (sessions, processes) = (folder.path().join("user"), folder.path().join("proc"));
        let others = |own: u32, passwd: &str| are_others(own, passwd, &sessions, &processes);
        assert!(!others(0, IMAGE) && !others(1000, IMAGE) && !others(0, ""));
        let shared = format!("{IMAGE}ana:x:1001:1001::/home/ana:/bin/zsh\nbo:x:1002:1002::/home/bo:/bin/false\n");
        assert!(others(0, &shared) && !others(1000, &shared), "one other account may be the image's");
        assert!(others(1000, &format!("{shared}cy:x:1003:1003::/home/cy:/bin/sh\n")));
        // A user from a directory service who is logged in.
        std::fs::create_dir_all(sessions.join("1000")).unwrap();
        assert!(!others(1000, IMAGE));
        std::fs::create_dir_all(sessions.join("20501")).unwrap();
        assert!(others(1000, IMAGE));
        std::fs::remove_dir_all(&sessions).unwrap();
        // The test's own processes, as seen by another user.
        std::fs::create_dir_all(processes.join("77")).unwrap();
        let own = rustix::process::getuid().as_raw();
        assert!(!others(own, IMAGE));
        assert_eq!(others(own + 1, IMAGE), PEOPLE.contains(&own));
    }
}
