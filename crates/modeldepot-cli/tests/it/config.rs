//! `config`: the settings in use and their origin; and the settings of AWS tools.

use crate::environment::{Output, TestEnv, wait};
use crate::proxy::{Manner, Proxy};

/// Runs without an endpoint unless one is given.
fn bare(env: &TestEnv, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = env.command(args);
    command.env_remove("S3_ENDPOINT").envs(variables.iter().copied());
    env.output(command)
}

/// Removes the widths of columns, which depend on where the test runs.
fn narrow(output: &Output) -> String {
    let lines = output.to_string();
    let narrowed = lines.lines().map(|line| {
        let columns: Vec<&str> =
            line.trim_end().split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
        columns.join("  ")
    });
    narrowed.collect::<Vec<_>>().join("\n")
}

const PROFILES: &str = "\
[profile lab]
region = eu-west-3
endpoint_url = https://lab.example
services = lab
s3 =
    addressing_style = virtual
aws_access_key_id = AKIALAB
aws_secret_access_key = hush

[profile places]
region = eu-west-1

[services lab]
s3 =
    endpoint_url = https://s3.lab.example/storage/v1/s3
";

#[test]
fn nothing_is_set() {
    let env = TestEnv::without_server("");
    insta::assert_snapshot!(narrow(&bare(&env, &["config"], &[])), @"
    ------- stdout -------
    SETTING  VALUE  FROM
    endpoint  http://localhost:9000  default
    credentials  minioadmin (default on this machine)  default
    region  us-east-1  default
    models bucket  models  default
    images bucket  plants-images  default
    data bucket  data  default
    addressing  auto: bucket in the path  default
    timeout  [TIME]  default
    connect timeout  [TIME]  default

    requests  http://localhost:9000/models, directly, signed for us-east-1
    [exit status: 0]
    ");
}

#[test]
fn every_place_is_named() {
    let env = TestEnv::without_server("");
    env.write(
        ".env",
        "# ours\nS3_ACCESS_KEY=me\nS3_SECRET_KEY=hush\n\nexport S3_BUCKET_MODELS=from-file\nS3_TIMEOUT=30s\n",
    );
    let variables = [
        ("S3_BUCKET_MODELS", "from-environment"),
        ("AWS_ENDPOINT_URL_S3", "https://s3.example.com/storage/v1/s3"),
        ("HTTPS_PROXY", "http://me:hush@proxy.example:3128"),
        ("NO_PROXY", "internal.example"),
    ];
    let shown = bare(&env, &["config", "--region", "eu-north-1"], &variables);
    assert!(!shown.to_string().contains("hush"), "{shown}");
    insta::assert_snapshot!(narrow(&shown), @r"
    ------- stdout -------
    SETTING  VALUE  FROM
    endpoint  https://s3.example.com/storage/v1/s3  AWS_ENDPOINT_URL_S3 in the environment
    access key  set  S3_ACCESS_KEY in $TEMP/work/.env:2
    secret key  set  S3_SECRET_KEY in $TEMP/work/.env:3
    region  eu-north-1  --region
    models bucket  from-environment  S3_BUCKET_MODELS in the environment
    overrides: S3_BUCKET_MODELS in $TEMP/work/.env:5
    images bucket  none  default
    data bucket  none  default
    addressing  auto: bucket in the path  default
    proxy (https)  http://proxy.example:3128  HTTPS_PROXY in the environment
    no proxy for  internal.example  NO_PROXY in the environment
    timeout  [TIME]  S3_TIMEOUT in $TEMP/work/.env:6
    connect timeout  [TIME]  default
    .env  $TEMP/work/.env  nearest to the current folder

    requests  https://s3.example.com/storage/v1/s3/from-environment, through http://proxy.example:3128, signed for eu-north-1
    [exit status: 0]
    ");
    let told = bare(&env, &["config", "--json"], &variables);
    assert!(!told.to_string().contains("hush"), "{told}");
    insta::assert_snapshot!(told, @r#"
    ------- stdout -------
    {
      "endpoint": "https://s3.example.com/storage/v1/s3",
      "bucket_url": "https://s3.example.com/storage/v1/s3/from-environment",
      "region": "us-east-1",
      "addressing": "path",
      "proxy": "http://proxy.example:3128",
      "buckets": {
        "models": "from-environment",
        "images": null,
        "data": null
      },
      "settings": [
        {
          "name": "endpoint",
          "value": "https://s3.example.com/storage/v1/s3",
          "from": "environment",
          "variable": "AWS_ENDPOINT_URL_S3"
        },
        {
          "name": "access key",
          "value": "set",
          "from": "file",
          "variable": "S3_ACCESS_KEY",
          "file": "$TEMP/work/.env",
          "line": 2
        },
        {
          "name": "secret key",
          "value": "set",
          "from": "file",
          "variable": "S3_SECRET_KEY",
          "file": "$TEMP/work/.env",
          "line": 3
        },
        {
          "name": "region",
          "value": "us-east-1",
          "from": "default"
        },
        {
          "name": "models bucket",
          "value": "from-environment",
          "from": "environment",
          "variable": "S3_BUCKET_MODELS",
          "hides": {
            "from": "file",
            "variable": "S3_BUCKET_MODELS",
            "file": "$TEMP/work/.env",
            "line": 5
          }
        },
        {
          "name": "images bucket",
          "value": "none",
          "from": "default"
        },
        {
          "name": "data bucket",
          "value": "none",
          "from": "default"
        },
        {
          "name": "addressing",
          "value": "auto: bucket in the path",
          "from": "default"
        },
        {
          "name": "proxy (https)",
          "value": "http://proxy.example:3128",
          "from": "environment",
          "variable": "HTTPS_PROXY"
        },
        {
          "name": "no proxy for",
          "value": "internal.example",
          "from": "environment",
          "variable": "NO_PROXY"
        },
        {
          "name": "timeout",
          "value": "[TIME]",
          "from": "file",
          "variable": "S3_TIMEOUT",
          "file": "$TEMP/work/.env",
          "line": 6
        },
        {
          "name": "connect timeout",
          "value": "[TIME]",
          "from": "default"
        },
        {
          "name": ".env",
          "value": "$TEMP/work/.env",
          "from": "nearest"
        }
      ]
    }
    [exit status: 0]
    "#);
}

#[test]
fn a_profile() {
    let env = TestEnv::without_server("");
    let config = env.write("aws-config", PROFILES);
    let variables = [("AWS_CONFIG_FILE", config.to_str().unwrap()), ("AWS_PROFILE", "lab")];
    let shown = bare(&env, &["config"], &variables);
    assert!(!shown.to_string().contains("hush"), "{shown}");
    insta::assert_snapshot!(narrow(&shown), @"
    ------- stdout -------
    SETTING  VALUE  FROM
    endpoint  https://s3.lab.example/storage/v1/s3  services, s3.endpoint_url of the AWS profile lab
    credentials  those of the AWS profile lab  AWS_PROFILE in the environment
    region  eu-west-3  region of the AWS profile lab
    models bucket  models  default
    images bucket  plants-images  default
    data bucket  data  default
    addressing  bucket in the host  s3.addressing_style of the AWS profile lab
    timeout  [TIME]  default
    connect timeout  [TIME]  default
    AWS profile  lab  AWS_PROFILE in the environment

    requests  https://models.s3.lab.example/storage/v1/s3, directly, signed for eu-west-3
    [exit status: 0]
    ");
    // A flag wins over keys in the environment; the profile's endpoint does not over ours.
    let keys =
        [("S3_ACCESS_KEY", "me"), ("S3_SECRET_KEY", "x"), ("S3_ENDPOINT", "http://localhost:9000"), variables[0]];
    let shown = bare(&env, &["config", "--profile", "lab"], &keys);
    insta::assert_snapshot!(narrow(&shown), @"
    ------- stdout -------
    SETTING  VALUE  FROM
    endpoint  http://localhost:9000  S3_ENDPOINT in the environment
    credentials  those of the AWS profile lab  --profile
    region  eu-west-3  region of the AWS profile lab
    models bucket  models  default
    images bucket  plants-images  default
    data bucket  data  default
    addressing  bucket in the host  s3.addressing_style of the AWS profile lab
    timeout  [TIME]  default
    connect timeout  [TIME]  default
    AWS profile  lab  --profile

    requests  http://models.localhost:9000, directly, signed for eu-west-3
    [exit status: 0]
    ");
    insta::assert_snapshot!(bare(&env, &["models", "--profile", "labb"], &[variables[0]]), @"
    ------- stderr -------
    error: AWS profile `labb` does not exist
    hint: known profiles: `lab`, `places`
    [exit status: 2]
    ");
    insta::assert_snapshot!(bare(&env, &["models"], &[("AWS_PROFILE", "lab")]), @"
    ------- stderr -------
    error: AWS profile `lab` does not exist
    hint: profiles are read from ~/.aws/config and ~/.aws/credentials, or from AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE
    [exit status: 2]
    ");
    env.write("aws-config", "[profile lab\nregion = x\n");
    insta::assert_snapshot!(bare(&env, &["models"], &variables), @"
    ------- stderr -------
    error: cannot read the AWS profile `lab`: line 1: Profile definition must end with ']'
    hint: correct the file, or do not select the profile
    [exit status: 2]
    ");
    // A broken file is only an error if a profile was chosen, and a `.env` cannot name one that runs programs.
    bare(&env, &["config"], &[variables[0]]).success();
    env.write(".env", format!("AWS_CONFIG_FILE={}\nAWS_PROFILE=lab\n", env.path("aws-config").display()));
    env.write("aws-config", PROFILES);
    assert_eq!(bare(&env, &["config"], &[]).code, Some(2));
}

/// A local server as a profile's endpoint, with the profile's keys: works as with AWS tools.
#[test]
fn a_profile_leads_to_a_server() {
    let env = TestEnv::with_login(&["models"], "AKIALAB", "hush-hush");
    let keys = "aws_access_key_id = AKIALAB\naws_secret_access_key = hush-hush\n";
    let home = env.folder().parent().unwrap().join("home/.aws");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join("credentials"), format!("[lab]\n{keys}")).unwrap();
    std::fs::write(home.join("config"), format!("[profile lab]\nendpoint_url = {}\n", env.endpoint)).unwrap();
    env.write("m.bin", "weights");
    bare(&env, &["push", "m", "m.bin", "--version", "1"], &[("AWS_PROFILE", "lab")]).success();
    bare(&env, &["pull", "m@1", "out", "--profile", "lab"], &[]).success();
    // Even on loopback, a chosen profile takes precedence over `minioadmin`.
    env.run_with(["models"], &[("AWS_PROFILE", "lab")]).success();
    assert_eq!(env.run(["models"]).code, Some(5), "minioadmin is nobody there");
}

#[test]
fn aws_itself_where_only_its_credentials_are_set() {
    let env = TestEnv::without_server("");
    let proxy = wait(Proxy::start(Manner::Refuses(403), "127.0.0.1:9".parse().unwrap()));
    let address = format!("http://me:hush@{}", proxy.address);
    let mut variables = vec![("HTTPS_PROXY", address.as_str()), ("AWS_REGION", "eu-west-1")];
    let keys = [("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "hush")];
    insta::assert_snapshot!(bare(&env, &["models"], &[&variables[..], &keys].concat()), @"
    ------- stderr -------
    note: no endpoint is set, but AWS credentials are: using AWS S3 in eu-west-1
    hint: set S3_ENDPOINT to use another service, or set it empty (S3_ENDPOINT=) to confirm AWS
    error: the proxy `http://127.0.0.1:[PORT]` refuses requests to `https://s3.eu-west-1.amazonaws.com`: HTTP 403
    hint: ask for the proxy to let `s3.eu-west-1.amazonaws.com` through, or reach it directly with NO_PROXY=s3.eu-west-1.amazonaws.com
    [exit status: 5]
    ");
    assert_eq!(proxy.seen(), ["CONNECT models.s3.eu-west-1.amazonaws.com:443 HTTP/1.1"]);
    insta::assert_snapshot!(narrow(&bare(&env, &["config"], &[&variables[..], &keys].concat())), @"
    ------- stdout -------
    SETTING  VALUE  FROM
    endpoint  AWS (only AWS credentials are set)  default
    access key  set  AWS_ACCESS_KEY_ID in the environment
    secret key  set  AWS_SECRET_ACCESS_KEY in the environment
    region  eu-west-1  AWS_REGION in the environment
    models bucket  models  default
    images bucket  none  default
    data bucket  none  default
    addressing  auto: bucket in the host  default
    proxy (https)  http://127.0.0.1:[PORT]  HTTPS_PROXY in the environment
    timeout  [TIME]  default
    connect timeout  [TIME]  default

    requests  https://models.s3.eu-west-1.amazonaws.com, through http://127.0.0.1:[PORT], signed for eu-west-1
    [exit status: 0]
    ");
    assert!(!bare(&env, &["models", "-q"], &[&variables[..], &keys].concat()).stderr.contains("note:"));

    // A role is assumed at STS, through the same proxy.
    let token = env.write("token", "a.b.c");
    variables.push(("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()));
    variables.push(("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/ci"));
    let refused = bare(&env, &["models"], &variables);
    assert_eq!(refused.code, Some(5), "{refused}");
    let seen = proxy.seen();
    assert!(seen.iter().any(|line| line.starts_with("CONNECT sts.")), "{seen:?}");
}

#[test]
fn through_a_proxy() {
    // `minioadmin` would only work with names of this machine.
    let env = TestEnv::with_login(&["models", "plants-images", "data"], "depot", "known-here");
    let server = env.endpoint.trim_start_matches("http://").parse().unwrap();
    let proxy = wait(Proxy::start(Manner::Login("Basic bWU6aHVzaA=="), server));
    let address = format!("http://me:hush@{}", proxy.address);
    let place = "http://s3.nowhere.invalid:9000";
    let keys = [("S3_ACCESS_KEY", "depot"), ("S3_SECRET_KEY", "known-here"), ("S3_ENDPOINT", place)];
    let through = [&keys[..], &[("http_proxy", address.as_str())]].concat();
    env.write("m.bin", "weights");
    env.run_with(["push", "m", "m.bin", "--version", "1"], &through).success();
    env.run_with(["pull", "m@1", "out"], &through).success();
    env.run_with(["check", "m@1"], &through).success();
    let doctor = env.run_with(["doctor"], &through);
    assert!(!doctor.to_string().contains("hush"), "{doctor}");
    let shown = crate::doctor::steady(&doctor);
    let lines: Vec<&str> =
        shown.lines().filter(|line| ["proxy", "name", "port", "answer"].iter().any(|it| line.contains(it))).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
                     proxy (http)   http://127.0.0.1:[PORT]          http_proxy in the environment
    ✓ proxy          read proxy variables: requests go through http://127.0.0.1:[PORT]
    ✓ name           look up `127.0.0.1`: is an IP address
    ✓ port           connect to port [PORT] of the proxy: open
    ✓ answer         send an S3 request: an S3 service (modeldepot-embedded)
    ");
    let wrong = format!("http://me:wrong@{}", proxy.address);
    let refused = env.run_with(["models"], &[&keys[..], &[("http_proxy", wrong.as_str())]].concat());
    insta::assert_snapshot!(refused, @"
    ------- stderr -------
    error: the proxy `http://127.0.0.1:[PORT]` on the way to `http://s3.nowhere.invalid:9000` does not accept the login: HTTP 407
    hint: check user and password in HTTP_PROXY or ALL_PROXY: `@`, `:`, `/` and `%` in them are written %40, %3A, %2F and %25
    [exit status: 5]
    ");
    insta::assert_snapshot!(env.run_with(["models"], &[&keys[..], &[("HTTP_PROXY", "ftp://me:hush@proxy")]].concat()), @r"
    ------- stderr -------
    error: `HTTP_PROXY` is not the address of a proxy: write it as `http://HOST:PORT`, `https://HOST:PORT` or `socks5h://HOST:PORT`
    hint: it is set in the environment
    [exit status: 2]
    ");
    let open = wait(Proxy::start(Manner::Open, server));
    let open = format!("http://{}", open.address);
    env.run_with(["models"], &[&keys[..], &[("ALL_PROXY", open.as_str())]].concat()).success();
    // This machine is reached directly, whatever the proxy.
    let here = [keys[0], keys[1], ("ALL_PROXY", "http://127.0.0.1:1"), ("HTTP_PROXY", "ftp://me:hush@proxy")];
    env.run_with(["models"], &here).success();
}

#[test]
fn misspelled_names_are_warned_about() {
    let env = TestEnv::new();
    env.write(".env", "S3_ACCESS_KEY_ID=me\nS3_SECRET=hush\nS3_UPLOAD_WORKERS=4\n");
    let warned = env.run_with(["models"], &[("S3_ENDPOINT_URL", "http://elsewhere"), ("S3_REGON", "eu-west-1")]);
    assert!(!warned.to_string().contains("hush"), "{warned}");
    insta::assert_snapshot!(warned, @"
    ------- stderr -------
    warning: `S3_ACCESS_KEY_ID` in `$TEMP/work/.env`, line 1, is not a setting of modeldepot
    hint: did you mean `S3_ACCESS_KEY`?
    warning: `S3_REGON` in the environment is not a setting of modeldepot
    hint: did you mean `S3_REGION`?
    warning: `S3_SECRET` in `$TEMP/work/.env`, line 2, is not a setting of modeldepot
    hint: did you mean `S3_SECRET_KEY`?
    no models in bucket `models`: `modeldepot push MODEL PATH` publishes one
    [exit status: 0]
    ");
}

#[test]
fn a_dotenv_that_is_shared_with_other_programs() {
    let env = TestEnv::new();
    env.write(
        ".env",
        "\u{feff}S3_BUCKET_MODELS=plants-images\nGREETING=it's me\nnot a variable\nPEM='-----\nS3_REGION=us-east-1\n",
    );
    let shown = env.run(["config"]);
    assert!(shown.to_string().contains(".env:1") && shown.to_string().contains(".env:5"), "{shown}");
    let utf16: Vec<u8> = "\u{feff}S3_REGION=eu\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    env.write(".env", utf16);
    insta::assert_snapshot!(env.run(["models"]), @"
    ------- stderr -------
    error: `$TEMP/work/.env` is not valid UTF-8
    hint: save it as UTF-8 (PowerShell: `Set-Content -Encoding utf8`); it looks like UTF-16, which `>` writes in PowerShell
    [exit status: 2]
    ");
}

/// On AWS, the default bucket names are taken.
#[test]
fn a_bucket_of_another_account() {
    let endpoint = taken();
    let env = TestEnv::without_server(&endpoint);
    insta::assert_snapshot!(env.run(["init"]), @"
    ------- stderr -------
    error: bucket `models` belongs to another account
    hint: all accounts of a service share its bucket names: choose one of your own, as in S3_BUCKET_MODELS=my-team-models
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.run(["init", "--bucket", "mine"]), @"
    ------- stderr -------
    error: bucket `mine` belongs to another account
    hint: all accounts of a service share its bucket names: choose one of your own, as in S3_BUCKET_MODELS=my-team-mine
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.run(["s3", "mb", "s3://elsewhere"]), @"
    ------- stderr -------
    error: bucket `elsewhere` belongs to another account
    hint: all accounts of a service share its bucket names: choose another one
    [exit status: 4]
    ");
}

/// A server on which all bucket names belong to another account.
fn taken() -> String {
    let listener = wait(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                use tokio::io::AsyncWriteExt as _;
                let Some((head, _)) = crate::proxy::head(&mut stream).await else { return };
                let (status, body) = match head.starts_with("HEAD") {
                    true => ("403 Forbidden", String::new()),
                    false => ("409 Conflict", "<Error><Code>BucketAlreadyExists</Code><Message>The requested bucket name is not available.</Message></Error>".to_owned()),
                };
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nx-amz-request-id: 1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    };
    wait(async { drop(tokio::spawn(serve)) });
    format!("http://{address}")
}

#[test]
fn models_alone() {
    let env = TestEnv::with_buckets(&[]);
    insta::assert_snapshot!(env.run(["init", "--bucket", "mine"]), @r"
    ------- stdout -------
    created mine
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run_with(["init"], &[("S3_BUCKET_IMAGES", "")]), @r"
    ------- stdout -------
    created models
    created data
    [exit status: 0]
    ");
    let doctor = env.run(["doctor", "--bucket", "mine"]);
    let buckets: Vec<&str> = doctor.stdout.lines().filter(|line| line.contains(" bucket ")).collect();
    insta::assert_snapshot!(buckets.join("\n").replace(&env.endpoint, "$ENDPOINT"), @r"
                     models bucket  mine                                  --bucket
                     images bucket  none                                  default
                     data bucket    none                                  default
                     addressing     auto: bucket in the path              default
    ✓ bucket         check `mine`: exists
    ");
    assert_eq!(doctor.code, Some(0), "what is not wanted is not missed: {doctor}");
}
