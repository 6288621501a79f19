//! No secret in any output, whatever fails and however much is logged.

use crate::environment::{Output, TestEnv};

const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "FwoGZXIvYXdzEXAMPLETOKEN";

fn keeps_them(output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{text}");
    }
}

#[test]
fn no_secret_is_shown() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    let own = [("S3_ACCESS_KEY", "minioadmin"), ("S3_SECRET_KEY", SECRET)];
    let aws = [("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_SESSION_TOKEN", TOKEN)];
    let nowhere = ["--endpoint", "http://127.0.0.1:1"];
    for verbose in ["-q", "-v", "-vv", "-vvvv"] {
        for variables in [own.as_slice(), aws.as_slice()] {
            let here = env.run_with(["models", verbose], variables);
            assert_eq!(here.code, Some(5), "{here}");
            keeps_them(&here);
            keeps_them(&env.run_with(["push", "m", "m.bin", verbose], variables));
            keeps_them(&env.run_with(["check", verbose, "--json"], variables));
            keeps_them(&env.run_with(["url", "m@1", "--file", "m.bin", "--put", verbose], variables));
        }
        keeps_them(&env.run_with(["models", verbose, nowhere[0], nowhere[1]], &own));
    }
    for text in [
        format!("S3_SECRET_KEY {SECRET}"),
        format!("S3_SECRET_KEY='{SECRET}"),
        format!("S3_SECRET_KEY={SECRET}\n"),
        format!("S3_ENDPOINT=http://me:{SECRET}@host\n"),
        format!("S3_ENDPOINT={SECRET}@host\n"),
    ] {
        env.write(".env", text);
        let mut command = env.command(["models", "-vv"]);
        command.env_remove("S3_ENDPOINT");
        let refused = env.output(command);
        assert_eq!(refused.code, Some(2), "{refused}");
        keeps_them(&refused);
    }
}

#[test]
fn a_session_that_works_logs_no_secret() {
    let env = TestEnv::with_login(&["models"], "our-key", SECRET);
    let login = [("S3_ACCESS_KEY", "our-key"), ("S3_SECRET_KEY", SECRET)];
    env.write("m.bin", "weights");
    for verb in [["push", "m", "m.bin"].as_slice(), &["pull", "m"], &["show", "m"], &["url", "m"], &["check", "m"]] {
        let logged = env.run_with(verb.iter().chain(&["-vvv"]), &login);
        assert!(logged.stderr.contains("aws_smithy_runtime") && logged.stderr.contains("status=200"), "{logged}");
        keeps_them(&logged);
        let _ = logged.success();
    }
}
