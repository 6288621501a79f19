use super::*;

fn resolve(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_variables(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
}

fn access(settings: &Settings) -> Option<&str> {
    match &settings.credentials {
        Credentials::Key { access, .. } => Some(access),
        Credentials::Profile(_) | Credentials::Chain => None,
    }
}

fn names(settings: &Settings) -> Vec<&str> {
    settings.buckets.all().into_iter().map(BucketName::as_str).collect()
}

fn place(pairs: &[(&str, &str)]) -> String {
    let endpoint = resolve(pairs).unwrap().endpoint;
    endpoint.map_or_else(|| "AWS".to_owned(), |endpoint| endpoint.to_string())
}

#[test]
fn the_documents_values_are_the_defaults() {
    let settings = resolve(&[]).unwrap();
    assert_eq!(settings.endpoint.as_ref().map(Endpoint::as_str), Some("http://localhost:9000"));
    assert_eq!(settings.region, "us-east-1");
    assert_eq!(names(&settings), ["models", "plants-images", "data"]);
    assert_eq!(access(&settings), Some("minioadmin"));
}

#[test]
fn times_are_spelled_with_their_units() {
    let settings = resolve(&[("S3_TIMEOUT", "90"), ("S3_CONNECT_TIMEOUT", "500ms")]).unwrap();
    let expected = Timeouts { connect: Duration::from_millis(500), answer: Duration::from_secs(90) };
    assert_eq!(settings.timeouts, expected);
    assert_eq!(resolve(&[("S3_TIMEOUT", "")]).unwrap().timeouts, Timeouts::default());
    assert_eq!(Timeouts::parse(" 2 m"), Ok(Duration::from_secs(120)));
    for wrong in ["0", "0s", "x", "-1", "1.5s", "2h", "61m", "99999999999999999999s", "18446744073709551615m", "1 é"] {
        assert!(Timeouts::parse(wrong).is_err(), "{wrong}");
        let refused = resolve(&[("S3_TIMEOUT", wrong)]);
        assert!(matches!(refused, Err(SettingsError::Timeout { setting: "S3_TIMEOUT", .. })), "{refused:?}");
    }
}

#[test]
fn credentials_come_in_the_documented_order() {
    let aws = [("AWS_ACCESS_KEY_ID", "aws"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let own = [("S3_ACCESS_KEY", "own"), ("S3_SECRET_KEY", "s")];
    assert_eq!(access(&resolve(&[aws, own].concat()).unwrap()), Some("own"));
    assert_eq!(access(&resolve(&aws).unwrap()), Some("aws"));
    let chosen = [("AWS_PROFILE", "mine"), ("S3_ENDPOINT", "http://localhost:9000")];
    let settings = resolve(&chosen).unwrap();
    assert!(matches!(settings.credentials, Credentials::Profile(name) if name == "mine"), "minioadmin yields to it");
    assert_eq!(access(&resolve(&[&aws[..], &chosen].concat()).unwrap()), Some("aws"), "as for AWS tools");
    assert_eq!(access(&resolve(&[("S3_ENDPOINT", "http://[::1]:9000")]).unwrap()), Some("minioadmin"));
    assert_eq!(access(&resolve(&[("S3_ENDPOINT", "https://s3.example.com")]).unwrap()), None);
    assert_eq!(access(&resolve(&[("S3_ENDPOINT", "")]).unwrap()), None);
    assert!(resolve(&[("S3_ENDPOINT", "")]).unwrap().endpoint.is_none());
}

#[test]
fn no_secret_is_shown() {
    let settings = resolve(&[("S3_ACCESS_KEY", "an-id"), ("S3_SECRET_KEY", "hush")]).unwrap();
    let shown = format!("{settings:?}");
    assert!(!shown.contains("hush") && !shown.contains("an-id"), "{shown}");
}

#[test]
fn bad_settings_are_named() {
    let errors: Vec<String> = [
        resolve(&[("S3_ENDPOINT", "localhost:9000")]),
        resolve(&[("S3_ENDPOINT", "http://me:hush@host:9000")]),
        resolve(&[("S3_ENDPOINT", "me:hush@host")]),
        resolve(&[("S3_ENDPOINT", "http://host:9000/models")]),
        resolve(&[("AWS_ENDPOINT_URL", "http://host:9000/data/")]),
        resolve(&[("AWS_ENDPOINT_URL_S3", "host:9000")]),
        resolve(&[("S3_ENDPOINT", "http://host:9000/a?b")]),
        resolve(&[("S3_ENDPOINT", "http://host:9000/a b")]),
        resolve(&[("S3_ENDPOINT", "http://host"), ("HTTP_PROXY", "ftp://me:hush@proxy")]),
        resolve(&[("S3_ENDPOINT", "ftp://host")]),
        resolve(&[("S3_BUCKET_DATA", "Data_1")]),
        resolve(&[("S3_ACCESS_KEY", "x")]),
        resolve(&[("AWS_SECRET_ACCESS_KEY", "x")]),
    ]
    .into_iter()
    .map(|r| r.unwrap_err().to_string())
    .collect();
    assert!(!errors.join("").contains("hush"));
    insta::assert_snapshot!(errors.join("\n"), @r"
    `localhost:9000` is not an endpoint: it must begin with `http://` or `https://`
    `http://…@host:9000` is not an endpoint: credentials do not belong in it
    `…@host` is not an endpoint: it must begin with `http://` or `https://`
    `http://host:9000/models` is not an endpoint: it ends with the name of a bucket
    `http://host:9000/data` is not an endpoint: it ends with the name of a bucket
    `host:9000` is not an endpoint: it must begin with `http://` or `https://`
    `http://host:9000/a?…` is not an endpoint: nothing may follow the path: no `?` and no `#`
    `http://host:9000/a b` is not an endpoint: its path may have letters, digits, `-`, `.`, `_` and `~` between single slashes
    `HTTP_PROXY` is not the address of a proxy: write it as `http://HOST:PORT`, `https://HOST:PORT` or `socks5h://HOST:PORT`
    `ftp://host` is not an endpoint: it must begin with `http://` or `https://`
    `S3_BUCKET_DATA` cannot be used
    `S3_ACCESS_KEY` is set but `S3_SECRET_KEY` is not
    `AWS_SECRET_ACCESS_KEY` is set but `AWS_ACCESS_KEY_ID` is not
    ");
}

#[test]
fn the_endpoint_is_found_as_aws_tools_find_it() {
    let (s3, all) = (("AWS_ENDPOINT_URL_S3", "http://a:1"), ("AWS_ENDPOINT_URL", "http://b:2"));
    assert_eq!(place(&[s3, all, ("S3_ENDPOINT", "http://own:9000")]), "http://own:9000");
    assert_eq!(place(&[s3, all]), "http://a:1");
    assert_eq!(place(&[all]), "http://b:2");
    assert_eq!(place(&[all, ("S3_ENDPOINT", "")]), "AWS");
    assert_eq!(place(&[all, s3, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "True")]), "http://localhost:9000");
    assert_eq!(place(&[("AWS_ENDPOINT_URL_S3", " "), all]), "http://b:2");
    assert_eq!(place(&[("S3_ENDPOINT", "https://x.example/storage/v1/s3/")]), "https://x.example/storage/v1/s3");
}

#[test]
fn aws_is_meant_where_only_its_credentials_are_set() {
    let key = [("AWS_ACCESS_KEY_ID", "aws"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let token = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")];
    for pairs in [
        &key[..],
        &token,
        &[("AWS_PROFILE", "mine")],
        &[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1")],
        &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")],
    ] {
        assert_eq!(place(pairs), "AWS", "{pairs:?}");
        assert_eq!(names(&resolve(pairs).unwrap()), ["models"], "`data` is somebody else's there");
    }
    let own = [("S3_ACCESS_KEY", "own"), ("S3_SECRET_KEY", "s")];
    assert_eq!(place(&[&key[..], &own].concat()), "http://localhost:9000");
    assert_eq!(place(&token[..1]), "http://localhost:9000");
    let found = AwsProfile { name: "default".to_owned(), demanded: false, has_credentials: true };
    let settings = Settings::with_profile(|_| None, Some(&found)).unwrap();
    assert!(settings.endpoint.is_none() && matches!(settings.credentials, Credentials::Chain));
    let local = |name: &str| (name == "S3_ENDPOINT").then(|| "http://localhost:9000".to_owned());
    assert_eq!(access(&Settings::with_profile(local, Some(&found)).unwrap()), Some("minioadmin"));
    let by_aws = |name: &str| (name == "AWS_ENDPOINT_URL").then(|| "http://localhost:9000".to_owned());
    let settings = Settings::with_profile(by_aws, Some(&found)).unwrap();
    assert!(matches!(settings.credentials, Credentials::Chain), "a profile with an endpoint and keys: {settings:?}");
    assert_eq!(access(&Settings::with_profile(by_aws, None).unwrap()), Some("minioadmin"));
    let demanded = AwsProfile { demanded: true, ..found };
    let own = |name: &str| local(name).or_else(|| name.starts_with("S3_").then(|| "own".to_owned()));
    let own = |name: &str| own(name).filter(|_| name.contains("KEY") || name.contains("ENDPOINT"));
    let settings = Settings::with_profile(own, Some(&demanded)).unwrap();
    assert!(matches!(settings.credentials, Credentials::Profile(_)), "{settings:?}");
}

#[test]
fn the_region_of_aws_counts_but_for_the_login_of_a_server_as_it_comes() {
    let region = |pairs: &[(&str, &str)]| resolve(pairs).unwrap().region;
    let (first, second) = (("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "eu-west-2"));
    let away = ("S3_ENDPOINT", "https://s3.example.com");
    assert_eq!(region(&[first, second, away, ("S3_REGION", "own")]), "own");
    assert_eq!(region(&[first, second, away]), "eu-west-1");
    assert_eq!(region(&[second, away]), "eu-west-2");
    assert_eq!(region(&[first, second]), "us-east-1", "minioadmin at localhost");
    assert_eq!(region(&[first, ("S3_ACCESS_KEY", "a"), ("S3_SECRET_KEY", "s")]), "eu-west-1");
}

#[test]
fn buckets_beside_the_models_are_optional() {
    let named = |pairs: &[(&str, &str)]| names(&resolve(pairs).unwrap()).join(" ");
    assert_eq!(named(&[("S3_BUCKET_MODELS", "mine")]), "mine");
    assert_eq!(named(&[("S3_BUCKET_MODELS", "mine"), ("S3_BUCKET_DATA", "more")]), "mine more");
    assert_eq!(named(&[("S3_BUCKET_MODELS", "")]), "models plants-images data");
    assert_eq!(named(&[("S3_BUCKET_IMAGES", "")]), "models data");
    assert_eq!(named(&[("S3_BUCKET_IMAGES", ""), ("S3_BUCKET_DATA", "")]), "models");
    assert_eq!(named(&[("S3_BUCKET_IMAGES", "pictures")]), "models pictures data");
    assert_eq!(named(&[("S3_ENDPOINT", ""), ("S3_BUCKET_DATA", "more")]), "models more");
}

#[test]
fn proxies_are_found_as_curl_finds_them() {
    let of = |pairs: &[(&str, &str)]| resolve(pairs).unwrap().proxies;
    let (lower, upper) = (("https_proxy", "lower:1"), ("HTTPS_PROXY", "upper:1"));
    assert_eq!(of(&[lower, upper]).https.unwrap().to_string(), "http://lower:1");
    assert_eq!(of(&[upper]).https.unwrap().to_string(), "http://upper:1");
    let all = of(&[("ALL_PROXY", "all:1"), upper]);
    assert_eq!(
        (all.http.unwrap().to_string(), all.https.unwrap().to_string()),
        ("http://all:1".into(), "http://upper:1".into())
    );
    assert!(of(&[("HTTP_PROXY", "visitor:1"), ("REQUEST_METHOD", "GET")]).http.is_none());
    assert!(of(&[("http_proxy", "own:1"), ("REQUEST_METHOD", "GET")]).http.is_some());
    assert!(of(&[("ALL_PROXY", "nonsense://me:hush@proxy")]).are_none(), "nothing to this machine goes through it");
    let away = ("S3_ENDPOINT", "https://s3.example.com");
    let nonsense = ("HTTPS_PROXY", "nonsense://me:hush@proxy");
    assert!(matches!(resolve(&[away, nonsense]), Err(SettingsError::Proxy { setting: "HTTPS_PROXY", .. })));
    assert!(matches!(resolve(&[("S3_ENDPOINT", ""), nonsense]), Err(SettingsError::Proxy { .. })));
    assert!(resolve(&[away, nonsense, ("NO_PROXY", "example.com")]).is_ok());
    let settings = resolve(&[away, ("HTTPS_PROXY", "http://me:hush@proxy:3128")]).unwrap();
    assert!(!format!("{settings:?}").contains("hush"), "{settings:?}");
}

#[test]
fn a_region_is_a_name_and_nothing_else() {
    let region = |text: &str| {
        Settings::from_variables(|name| (name == "S3_REGION").then(|| text.to_owned())).map(|settings| settings.region)
    };
    for fine in ["eu-west-1", "garage", "us_east.2"] {
        assert_eq!(region(fine).unwrap(), fine);
    }
    for wrong in ["evil.example/", "me@evil.example", "a\nb", "a b", &"x".repeat(64)] {
        let error = region(wrong).unwrap_err().to_string();
        assert!(error.contains("S3_REGION") && !error.contains('\n') && error.len() < 200, "{error}");
    }
}
