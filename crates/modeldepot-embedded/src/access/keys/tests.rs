use std::fs;

use super::*;

fn grants(text: &str) -> Vec<Grant> {
    text.split_whitespace().map(|grant| grant.parse().unwrap()).collect()
}

#[test]
fn a_key_pair_is_added_found_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("keys");
    let ci = Keys::add(&path, "ci", grants("models=write data=read")).unwrap();
    let ana = Keys::add(&path, "ana", grants("*=admin")).unwrap();
    assert!(ci.access_key.len() == 20 && ci.access_key.starts_with("MDK"), "{}", ci.access_key);
    assert!(ci.secret_key().len() == 47 && ci.secret_key().starts_with("mds_"));
    assert_ne!(ci.access_key, ana.access_key);
    assert_ne!(ci.secret_key(), ana.secret_key());
    assert!(!format!("{ci:?} {:?}", Keys::read(&path).unwrap()).contains("mds_"), "{ci:?}");
    assert!(matches!(Keys::add(&path, "ci", Vec::new()), Err(KeysError::Taken { .. })));
    assert!(matches!(Keys::add(&path, "a b", Vec::new()), Err(KeysError::Name { .. })));

    let keys = Keys::read(&path).unwrap();
    let found = keys.find(&ci.access_key).unwrap();
    assert_eq!((found.name.as_str(), found.secret_key(), &found.grants), ("ci", ci.secret_key(), &ci.grants));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}# a comment of mine")).unwrap();
    Keys::remove(&path, "ci").unwrap();
    assert!(matches!(Keys::remove(&path, "ci"), Err(KeysError::Unknown { .. })));
    assert!(Keys::read(&path).unwrap().find(&ci.access_key).is_none());
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# modeldepot keys") && text.ends_with("# a comment of mine\n"), "{text}");
}

#[test]
fn changes_at_once_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    std::thread::scope(|scope| {
        for n in 0..16 {
            let path = &path;
            scope.spawn(move || Keys::add(path, &format!("n{n}"), Vec::new()).unwrap());
        }
    });
    assert_eq!(Keys::read(&path).unwrap().iter().count(), 16);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    Keys::add(&path, "ci", grants("models=read")).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o620, 0o666, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for error in [Keys::read(&path).unwrap_err(), Keys::remove(&path, "ci").unwrap_err()] {
            assert!(matches!(&error, KeysError::Open { mode: found, .. } if *found == mode), "{error}");
        }
        assert!(Keys::add(&path, "other", Vec::new()).is_err());
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    Keys::read(&path).unwrap();
}

#[test]
fn a_malformed_line_is_named_and_not_shown() {
    let good = "ci MDKAAAA 0123456789abcdef models=read";
    assert_eq!(Keys::parse(&format!("# keys\n\n  {good}\n"), Path::new("keys")).unwrap().0.len(), 1);
    assert_eq!(Keys::parse("ci MDKAAAA 0123456789abcdef", Path::new("keys")).unwrap().0[0].grants, []);
    for line in [
        "topsecret",
        "ci topsecret",
        "ci MDKBBBB topsecret models=read",
        "ci minioadmin minioadmin *=admin",
        "ci MDKBBBB 0123456789topsecret models",
        "ci MDKBBBB 0123456789topsecret models=all",
        "ci MDKBBBB 0123456789topsecret MODELS=read",
        "ci MDKBBBB 0123456789topsecret a*b=read",
        "ci MDKBBBB 0123456789topsecret =read",
        "c/i MDKBBBB 0123456789topsecret models=read",
        "ci MDK/BBB 0123456789topsecret models=read",
        "ci modeldepot-console 0123456789topsecret models=read",
        "ci MDKBBBB 0123456789topsécret models=read",
        good,
        "other MDKAAAA 0123456789topsecret models=read",
    ] {
        let error = Keys::parse(&format!("{good}\n\n{line}\n"), Path::new("keys")).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("line 3 of `keys` is not a key pair: "), "{line}: {text}");
        assert!(!text.contains("topsecret") && !text.contains("0123456789"), "{text}");
    }
}

#[test]
fn a_grant_gives_its_right_and_those_before_it_on_what_it_names() {
    for (grant, right, bucket, given) in [
        ("models=read", Right::Read, "models", true),
        ("models=read", Right::Write, "models", false),
        ("models=write", Right::Read, "models", true),
        ("models=write", Right::Admin, "models", false),
        ("models=admin", Right::Admin, "models", true),
        ("models=admin", Right::Read, "models2", false),
        ("models=admin", Right::Read, "model", false),
        ("models*=read", Right::Read, "models", true),
        ("models*=read", Right::Read, "models-old", true),
        ("models*=read", Right::Read, "my-models", false),
        ("*=write", Right::Write, "anything", true),
        ("*=write", Right::Admin, "anything", false),
    ] {
        assert_eq!(grant.parse::<Grant>().unwrap().gives(right, bucket), given, "{grant} {right:?} {bucket}");
    }
}

#[test]
fn the_file_is_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let ci = Keys::add(&path, "ci", grants("models=read")).unwrap();
    let watched = Watched::open(path.clone()).unwrap();
    let until = |wanted: bool| {
        while watched.keys().find(&ci.access_key).is_some() != wanted {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    until(true);
    Keys::remove(&path, "ci").unwrap();
    until(false);
    write(&path, &format!("ci {} {} models=read\n", ci.access_key, ci.secret_key())).unwrap();
    until(true);
    // Malformed, then missing: nobody has access.
    write(&path, "nonsense").unwrap();
    until(false);
    write(&path, &format!("ci {} {} models=read\n", ci.access_key, ci.secret_key())).unwrap();
    until(true);
    fs::remove_file(&path).unwrap();
    until(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        write(&path, &format!("ci {} {} models=read\n", ci.access_key, ci.secret_key())).unwrap();
        until(true);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        until(false);
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_the_file_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("keys"), folder.path().join("link"));
    Keys::add(&path, "ci", Vec::new()).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    Keys::add(&link, "ana", Vec::new()).unwrap();
    Keys::remove(&link, "ci").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let names: Vec<_> = Keys::read(&path).unwrap().iter().map(|key| key.name.clone()).collect();
    assert_eq!(names, ["ana"]);
}

#[test]
fn a_file_does_not_grow_beyond_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    write(&path, &"#".repeat(LARGEST as usize - 10)).unwrap();
    assert!(matches!(Keys::add(&path, "ci", Vec::new()), Err(KeysError::Io { action: "write", .. })));
    Keys::read(&path).unwrap();
}

#[test]
fn a_file_that_could_not_be_read_once_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let ci = Keys::add(&path, "ci", Vec::new()).unwrap();
    let watched = Watched::open(path.clone()).unwrap();
    let aside = folder.path().join("aside");
    // A folder in its place cannot be read. The restored file is noticed even though its time is unchanged.
    fs::rename(&path, &aside).unwrap();
    fs::create_dir(&path).unwrap();
    while watched.keys().find(&ci.access_key).is_some() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(watched.looks_again());
    fs::remove_dir(&path).unwrap();
    fs::rename(&aside, &path).unwrap();
    while watched.keys().find(&ci.access_key).is_none() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(!watched.looks_again());
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    assert!(std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&path).status().unwrap().success());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(Keys::read(&path).is_err()));
    assert!(told.recv_timeout(std::time::Duration::from_secs(60)).unwrap());
}
