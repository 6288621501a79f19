//! A disk without room: known before the first byte is fetched, and nothing stays.
#![cfg(target_os = "linux")]

use std::process::Command;

use crate::environment::TestEnv;

#[test]
fn a_pull_onto_a_full_disk() {
    // A file system of one megabyte, which only this run sees. Mounting needs root, or a user namespace.
    let isolation = ["-m", "-rm"].into_iter().find(|flags| {
        let mount = "mount -t tmpfs -o size=1m none /tmp";
        Command::new("unshare").args([flags, "sh", "-c", mount]).output().is_ok_and(|run| run.status.success())
    });
    let Some(isolation) = isolation else {
        assert!(std::env::var_os("CI").is_none(), "nobody here may mount a file system");
        eprintln!("not run: nobody here may mount a file system");
        return;
    };
    let env = TestEnv::new();
    env.write("m.bin", vec![1; 4 << 20]);
    env.run(["push", "m", "m.bin"]).success();
    std::fs::create_dir(env.path("small")).unwrap();

    let script = "mount -t tmpfs -o size=1m none small && \"$0\" pull m small; code=$?; ls -A small; exit $code";
    let plain = env.command([""; 0]);
    let mut command = Command::new("unshare");
    command.args([isolation, "sh", "-c", script]).arg(plain.get_program()).current_dir(env.folder());
    command.env_remove("S3_ACCESS_KEY").env_remove("AWS_ACCESS_KEY_ID").env_remove("NO_COLOR");
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    insta::assert_snapshot!(env.output(command), @r"
    ------- stderr -------
    error: cannot put the version into `small`
    caused by: it needs 4.2 MB, and 1.0 MB are free
    hint: free some space, or use another disk
    [exit status: 8]
    ");
}
