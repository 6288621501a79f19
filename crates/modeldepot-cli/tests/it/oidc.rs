//! The command line of `serve` with an OpenID Connect provider.

use crate::environment::TestEnv;

#[test]
fn oidc_settings_that_do_not_fit_are_named() {
    let env = TestEnv::without_server("");
    insta::assert_snapshot!(env.run(["serve", "--oidc-grant", "*=read"]), @r"
    ------- stderr -------
    error: `--oidc-grant` needs `--oidc-issuer`
    hint: docs/console.md shows how a provider is set up
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["serve", "--oidc-issuer", "http://id.example", "--oidc-client-id", "x"]), @r"
    ------- stderr -------
    error: invalid value `http://id.example` for `--oidc-issuer`: use https: without it only a provider on this machine is trusted
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["serve", "--oidc-issuer", "https://id.example"]), @r"
    ------- stderr -------
    error: `--oidc-issuer` needs `--oidc-client-id`
    hint: docs/console.md shows how a provider is set up
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["serve", "--oidc-issuer", "https://id.example", "--oidc-client-id", "x", "--oidc-grant", "ml"]), @r"
    ------- stderr -------
    error: invalid value `ml` for `--oidc-grant`: write it as GROUP=GRANTS, as in `ml-team=publish`
    [exit status: 2]
    ");
    let missing = [
        "serve",
        "--oidc-issuer",
        "https://id.example",
        "--oidc-client-id",
        "x",
        "--oidc-client-secret-file",
        "nowhere",
    ];
    insta::assert_snapshot!(env.run(missing), @r"
    ------- stderr -------
    error: cannot read the client secret in `nowhere`
    caused by: No such file or directory (os error 2)
    [exit status: 8]
    ");
}

#[test]
fn oidc_needs_grants_and_an_address_to_come_back_to() {
    let env = TestEnv::without_server("");
    let flags = ["serve", "--oidc-issuer", "https://id.example", "--oidc-client-id", "x"];
    insta::assert_snapshot!(env.run(flags), @r"
    ------- stderr -------
    error: OpenID Connect is configured without grants: nobody could do anything
    hint: grant something to a group: `--oidc-grant ml-team=publish:plant-*`, or `--oidc-grant '*=read'` for everyone who logs in
    [exit status: 2]
    ");
    let open = ["--oidc-grant", "*=read", "--listen", "0.0.0.0:0"];
    insta::assert_snapshot!(env.run(flags.into_iter().chain(open).collect::<Vec<_>>()), @r"
    ------- stderr -------
    error: the login provider cannot send browsers back to `0.0.0.0:0`: the service's public URL is not set
    hint: set `--public-url https://models.example.com`, and register `https://models.example.com/login/oidc/callback` with the provider
    [exit status: 2]
    ");
}
