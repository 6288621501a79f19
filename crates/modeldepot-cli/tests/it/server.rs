//! `up`: the embedded server as a command.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::environment::{Output, TestEnv};

struct Up {
    child: Child,
    endpoint: String,
}

impl Up {
    fn start(env: &TestEnv, variables: &[(&str, &str)]) -> Up {
        let mut command = env.command(["up", "--no-console", "--listen", "127.0.0.1:0", "--data", "store", "--json"]);
        let mut child =
            command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut text = String::new();
        for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
            text += &line.unwrap();
            if let Ok(told) = serde_json::from_str::<serde_json::Value>(&text) {
                return Up { child, endpoint: told["endpoint"].as_str().unwrap().to_owned() };
            }
        }
        panic!("{}", env.finish(child));
    }

    fn stop(self, env: &TestEnv) -> Output {
        assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", self.child.id())]).status().unwrap().success());
        env.finish(self.child)
    }
}

#[test]
fn what_is_published_outlives_the_server() {
    let mut env = TestEnv::without_server("");
    env.write("m.bin", "weights");
    let up = Up::start(&env, &[]);
    env.endpoint = up.endpoint.clone();
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    insta::assert_snapshot!(up.stop(&env), @"[exit status: 0]");
    let up = Up::start(&env, &[]);
    env.endpoint = up.endpoint.clone();
    env.run(["verify", "m@1"]).success();
    insta::assert_snapshot!(env.run(["up", "--no-console", "--listen", "127.0.0.1:0", "--data", "store"]), @r"
    ------- stderr -------
    error: data folder `store` is in use by another process
    hint: another `modeldepot up` uses this folder; choose another with --data
    [exit status: 6]
    ");
    let address = up.endpoint.trim_start_matches("http://").to_owned();
    let taken = env.run(["up", "--no-console", "--listen", &address, "--data", "other"]);
    assert_eq!(taken.code, Some(2), "{taken}");
    assert!(taken.stderr.contains("hint: the port is in use"), "{taken}");
    up.stop(&env).success();
}

#[test]
fn a_configured_login_is_asked_for_and_never_shown() {
    let mut env = TestEnv::without_server("");
    let login = [("S3_ACCESS_KEY", "our-own-key"), ("S3_SECRET_KEY", "our-own-secret")];
    let mut command = env.command(["up", "--no-console", "--listen", "127.0.0.1:0", "--data", "store"]);
    let mut child = command.envs(login).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut shown = String::new();
    for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(endpoint) = line.trim().strip_prefix("endpoint") {
            env.endpoint = endpoint.trim().to_owned();
        }
        shown += &line;
        shown.push('\n');
        if line.contains("Ctrl-C") {
            break;
        }
    }
    assert_eq!(env.run(["models"]).code, Some(5), "the default login is not let in");
    env.run_with(["models"], &login).success();
    let ended = Up { child, endpoint: String::new() }.stop(&env);
    assert_eq!(ended.code, Some(0), "{ended}");
    let shown = shown.replace(&env.endpoint, "$ENDPOINT");
    insta::assert_snapshot!(shown, @r"
    modeldepot is up
      endpoint  $ENDPOINT
      login     S3_ACCESS_KEY and S3_SECRET_KEY, as configured
      data      store
      buckets   models, plants-images, data

    Try, in another terminal:
      export S3_ENDPOINT=$ENDPOINT
      modeldepot push plant_classifier best_model.pth --history training_history.json
      modeldepot models
      modeldepot pull plant_classifier

    Press Ctrl-C to stop.
    ");
}

#[test]
fn the_start_says_who_is_let_in_at_which_port_and_how_to_reach_it() {
    let env = TestEnv::without_server("");
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    env.write("cert.pem", certificate.pem());
    env.write("key.pem", key.serialize_pem());
    env.run(["key", "add", "ci", "--grant", "models=read", "--keys", "private/keys"]).success();
    env.run(["token", "add", "ci", "--scope", "read", "--tokens", "tokens"]).success();
    let start = |more: &[&str]| {
        let fixed = ["up", "--keys", "private/keys", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"];
        let mut child = env.start(fixed.iter().chain(&["--data", "store"]).chain(more));
        let mut shown = String::new();
        for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
            let line = line.unwrap();
            shown += &format!("{line}\n");
            if line.contains("Ctrl-C") {
                break;
            }
        }
        Up { child, endpoint: String::new() }.stop(&env).success();
        for name in ["endpoint", "console"] {
            let line = shown.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap().trim().to_owned();
            let url = line.split(',').next().unwrap();
            shown = shown.replace(url.rsplit_once(':').unwrap().1, &format!("${}", name.to_uppercase()));
        }
        shown
    };
    insta::assert_snapshot!(start(&[]), @r"
    modeldepot is up
      endpoint  http://127.0.0.1:$ENDPOINT
      login     key pairs in private/keys
      console   http://127.0.0.1:$CONSOLE, with the REST API at http://127.0.0.1:$CONSOLE/api/v1
      access    everyone on this machine (--keys applies to the S3 port only; use --tokens for the console)
      data      store
      buckets   models, plants-images, data

    Try, in another terminal:
      export S3_ENDPOINT=http://127.0.0.1:$ENDPOINT
      export S3_ACCESS_KEY=… S3_SECRET_KEY=…  # a key pair from private/keys
      modeldepot push plant_classifier best_model.pth --history training_history.json
      modeldepot models
      modeldepot pull plant_classifier

    Press Ctrl-C to stop.
    ");
    insta::assert_snapshot!(start(&["--tokens", "tokens", "--tls-cert", "cert.pem", "--tls-key", "key.pem"]), @r"
    modeldepot is up
      endpoint  https://localhost:$ENDPOINT
      login     key pairs in private/keys
      console   https://localhost:$CONSOLE, with the REST API at https://localhost:$CONSOLE/api/v1
      access    tokens in tokens
      data      store
      buckets   models, plants-images, data

    Try, in another terminal:
      export S3_ENDPOINT=https://localhost:$ENDPOINT
      export AWS_CA_BUNDLE=cert.pem
      export S3_ACCESS_KEY=… S3_SECRET_KEY=…  # a key pair from private/keys
      modeldepot push plant_classifier best_model.pth --history training_history.json
      modeldepot models
      modeldepot pull plant_classifier

    Press Ctrl-C to stop.
    ");
}

#[test]
fn refusals() {
    let env = TestEnv::without_server("");
    env.write("full/of/things.txt", "x");
    insta::assert_snapshot!(env.run(["up", "--no-console", "--listen", "127.0.0.1:0", "--data", "full"]), @r"
    ------- stderr -------
    error: `full` is neither empty nor a data folder of this server
    hint: choose an empty or new folder with --data
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["up", "--listen", "0.0.0.0:0", "--data", "store"]), @r"
    ------- stderr -------
    error: refused to listen on `0.0.0.0:0`: the default credentials are for loopback addresses only
    hint: set S3_ACCESS_KEY and S3_SECRET_KEY first
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["up", "--listen", "everywhere:9000"]), @r"
    ------- stderr -------
    error: invalid value `everywhere:9000` for `--listen`: use an address and a port, such as `127.0.0.1:9000`, or a port alone
    [exit status: 2]
    ");
}
