//! Where credentials come from when none are set: the AWS standard chain.
#![cfg(unix)]

use std::fs;

use crate::environment::TestEnv;

const ACCESS: &str = "the-profiles-key";
const SECRET: &str = "the-profiles-secret";

/// A server on this machine with an address that does not reveal it: for a loopback endpoint the chain is never used.
fn elsewhere() -> (TestEnv, String) {
    // With the default login it would refuse that address.
    let env = TestEnv::with_login(&["models", "plants-images", "data"], ACCESS, SECRET);
    let endpoint = env.endpoint.replace("127.0.0.1", "0.0.0.0");
    (env, endpoint)
}

#[test]
fn a_profile_a_process_and_nothing() {
    let (env, endpoint) = elsewhere();
    let aws = env.path("../home/.aws");
    fs::create_dir(&aws).unwrap();
    let models = |more: &[(&str, &str)]| {
        // Without a cloud's metadata service, which the machine running the test may have.
        let always =
            [("S3_ENDPOINT", endpoint.as_str()), ("AWS_EC2_METADATA_DISABLED", "true"), ("PATH", "/usr/bin:/bin")];
        env.run_with(["models"], &[&always, more].concat())
    };
    insta::assert_snapshot!(models(&[]).to_string().replace(&endpoint, "$ELSEWHERE"), @"
    ------- stderr -------
    error: no credentials for `$ELSEWHERE`
    caused by: no credentials found in chain. Attempted:
      Environment: the credential provider was not enabled: environment variable not set
      Profile: the credential provider was not enabled
      WebIdentityToken: the credential provider was not enabled: $AWS_WEB_IDENTITY_TOKEN_FILE was not set
      EcsContainer: the credential provider was not enabled: ECS provider not configured
      Ec2InstanceMetadata: the credential provider was not enabled: IMDS disabled by AWS_EC2_METADATA_DISABLED env var set to `true`
    hint: set S3_ACCESS_KEY and S3_SECRET_KEY, or log in as for any AWS tool (AWS_PROFILE, `aws sso login`)
    [exit status: 5]
    ");

    let login = format!("aws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n");
    fs::write(aws.join("credentials"), format!("[default]\n{login}")).unwrap();
    models(&[]).success();
    fs::write(aws.join("credentials"), "[default]\naws_access_key_id = no\naws_secret_access_key = no\n").unwrap();
    assert_eq!(models(&[]).code, Some(5), "it is the profile that counts");

    let answer = serde_json::json!({"Version": 1, "AccessKeyId": ACCESS, "SecretAccessKey": SECRET});
    let answer = env.write("login.json", answer.to_string());
    let config = format!("[profile asked]\ncredential_process = cat {}\n", answer.display());
    fs::write(aws.join("config"), config).unwrap();
    models(&[("AWS_PROFILE", "asked")]).success();
}
