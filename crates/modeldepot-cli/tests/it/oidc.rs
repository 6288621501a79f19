//! `serve` with a provider of logins, as far as the command line goes.

use crate::environment::TestEnv;

#[test]
fn oidc_settings_that_do_not_fit_are_named() {
    let env = TestEnv::without_server("");
    insta::assert_snapshot!(env.run(["serve", "--oidc-grant", "*=read"]), @"");
    insta::assert_snapshot!(env.run(["serve", "--oidc-issuer", "http://id.example", "--oidc-client-id", "x"]), @"");
    insta::assert_snapshot!(env.run(["serve", "--oidc-issuer", "https://id.example"]), @"");
    insta::assert_snapshot!(env.run(["serve", "--oidc-issuer", "https://id.example", "--oidc-client-id", "x", "--oidc-grant", "ml"]), @"");
    let missing = [
        "serve",
        "--oidc-issuer",
        "https://id.example",
        "--oidc-client-id",
        "x",
        "--oidc-client-secret-file",
        "nowhere",
    ];
    insta::assert_snapshot!(env.run(missing), @"");
}

#[cfg(not(feature = "oidc"))]
#[test]
fn a_build_without_the_feature_says_so() {
    let env = TestEnv::without_server("");
    let flags = ["serve", "--oidc-issuer", "https://id.example", "--oidc-client-id", "x", "--oidc-grant", "*=read"];
    insta::assert_snapshot!(env.run(flags), @"");
}

#[cfg(feature = "oidc")]
#[test]
fn oidc_needs_grants_and_an_address_to_come_back_to() {
    let env = TestEnv::without_server("");
    let flags = ["serve", "--oidc-issuer", "https://id.example", "--oidc-client-id", "x"];
    insta::assert_snapshot!(env.run(flags), @"");
    let open = ["--oidc-grant", "*=read", "--listen", "0.0.0.0:0"];
    insta::assert_snapshot!(env.run(flags.into_iter().chain(open).collect::<Vec<_>>()), @"");
}
