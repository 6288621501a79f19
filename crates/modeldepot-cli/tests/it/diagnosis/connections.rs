//! Failing connections, and TLS.

use std::path::Path;

use super::{at, run, shown};
use crate::environment::TestEnv;
use crate::peers;

#[test]
fn the_other_scheme() {
    let go = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    insta::assert_snapshot!(at(&peers::says(go, false)), @r"
    ------- stderr -------
    error: `$ENDPOINT` speaks TLS, not plain HTTP
    hint: set S3_ENDPOINT=https://127.0.0.1:[PORT]
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("400 Bad Request\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` speaks TLS, not plain HTTP
    hint: set S3_ENDPOINT=https://127.0.0.1:[PORT]
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::says(b"\x15\x03\x01\x00\x02\x02\x46", false)), @r"
    ------- stderr -------
    error: `$ENDPOINT` speaks TLS, not plain HTTP
    hint: set S3_ENDPOINT=https://127.0.0.1:[PORT]
    [exit status: 2]
    ");
    let certified = peers::certified(|_| {});
    let tls = peers::https(&certified, None, "200 OK", "");
    insta::assert_snapshot!(at(&tls), @r"
    ------- stderr -------
    error: `$ENDPOINT` speaks TLS, not plain HTTP
    hint: set S3_ENDPOINT=https://127.0.0.1:[PORT]
    [exit status: 2]
    ");
    let http = peers::http("404 Not Found\r\nContent-Type: text/plain", "404 page not found");
    insta::assert_snapshot!(run(&http.url("https"), &[]), @r"
    ------- stderr -------
    error: `$ENDPOINT` speaks plain HTTP, not TLS
    hint: set S3_ENDPOINT=http://127.0.0.1:[PORT]
    [exit status: 2]
    ");
    let env = TestEnv::new();
    let endpoint = env.endpoint.replace("http://", "https://");
    insta::assert_snapshot!(shown(&env.run(["models", "--endpoint", &endpoint])), @r"
    ------- stderr -------
    error: `https://127.0.0.1:[PORT]` speaks plain HTTP, not TLS
    hint: pass --endpoint $ENDPOINT
    [exit status: 2]
    ");
}

#[test]
fn no_connection_and_no_answer() {
    insta::assert_snapshot!(run("http://127.0.0.1:1", &[]), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: Connection refused (os error 111)
    hint: nothing is listening on port 1: check the port, or start a server with `modeldepot up`
    [exit status: 6]
    ");
    insta::assert_snapshot!(run("http://no-such-host.invalid:9000", &[]), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: failed to lookup address information: [SYSTEM]
    hint: is the name in S3_ENDPOINT or --endpoint spelled right, and known on this network (VPN, /etc/hosts)?
    [exit status: 6]
    ");
    insta::assert_snapshot!(run("http://no-such-host.invalid:9000", &["--addressing", "virtual"]), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: failed to lookup address information: [SYSTEM]
    hint: DNS does not know the host name with the bucket in it: pass --addressing path, or set S3_ADDRESSING=path
    [exit status: 6]
    ");
    insta::assert_snapshot!(run(&peers::silent().url("http"), &["--timeout", "300ms"]), @r"
    ------- stderr -------
    error: `$ENDPOINT` did not answer within [TIME] when asked to list bucket `models`
    hint: is this the port of an S3 server, and is there a proxy in between? `modeldepot doctor` checks; --timeout or S3_TIMEOUT sets how long to wait
    [exit status: 6]
    ");
    insta::assert_snapshot!(run(&peers::silent().url("https"), &["--timeout", "300ms"]), @r"
    ------- stderr -------
    error: `$ENDPOINT` did not answer within [TIME] when asked to list bucket `models`
    hint: is this the port of an S3 server, and is there a proxy in between? `modeldepot doctor` checks; --timeout or S3_TIMEOUT sets how long to wait
    [exit status: 6]
    ");
}

#[test]
fn certificates() {
    let verb = |certified: &peers::Certified, trusted: Option<&str>| {
        let peer = peers::https(certified, None, "200 OK", "");
        let env = TestEnv::without_server(&peer.url("https"));
        let ca = env.write("ca.pem", trusted.unwrap_or_default());
        match trusted {
            Some(_) => shown(&env.run([Path::new("models"), Path::new("--ca-bundle"), &ca])),
            None => shown(&env.run(["models"])),
        }
    };
    let date = |year| rcgen::date_time_ymd(year, 1, 2);
    insta::assert_snapshot!(verb(&peers::certified(|_| {}), None), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: no trusted authority has signed its certificate
    hint: save the certificate of its authority, or the server's own if it is self-signed, as a PEM file and name that with --ca-bundle or AWS_CA_BUNDLE
    [exit status: 6]
    ");
    let (ca, other) = peers::signed(|params| {
        params.subject_alt_names = peers::named(&["minio.example", "*.example"]).subject_alt_names;
    });
    insta::assert_snapshot!(verb(&other, Some(&ca)), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: its certificate is for `minio.example`, `*.example` only
    hint: use a name that the certificate is for in S3_ENDPOINT, or have one made for this name; if only the bucket's name in the host is missing, set S3_ADDRESSING=path
    [exit status: 6]
    ");
    let (ca, old) = peers::signed(|params| (params.not_before, params.not_after) = (date(2020), date(2021)));
    insta::assert_snapshot!(verb(&old, Some(&ca)), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: its certificate expired on [DATE] UTC
    hint: have it renewed; or is this machine's clock wrong?
    [exit status: 6]
    ");
    let (ca, early) = peers::signed(|params| (params.not_before, params.not_after) = (date(2090), date(2091)));
    insta::assert_snapshot!(verb(&early, Some(&ca)), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: its certificate is not valid before [DATE] UTC
    hint: is this machine's clock wrong?
    [exit status: 6]
    ");
    let authority = peers::certified(|params| params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    insta::assert_snapshot!(verb(&authority, None), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: it shows the certificate of an authority (`CA:TRUE`) as its own
    hint: name that certificate with --ca-bundle or AWS_CA_BUNDLE to trust it as it is, or make one for the server with `basicConstraints=CA:FALSE`
    [exit status: 6]
    ");
    let (ca, signed) = peers::signed(|params| params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    insta::assert_snapshot!(verb(&signed, Some(&ca)), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: it shows the certificate of an authority (`CA:TRUE`) as its own
    hint: name that certificate with --ca-bundle or AWS_CA_BUNDLE to trust it as it is, or make one for the server with `basicConstraints=CA:FALSE`
    [exit status: 6]
    ");
    // An authority with the same name and another key.
    let ((ca, _), (_, other)) = (peers::signed(|_| {}), peers::signed(|_| {}));
    insta::assert_snapshot!(verb(&other, Some(&ca)), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: the signature of its certificate is invalid or of an unsafe kind
    hint: an authority of the same name with another key is trusted here, or something in between swaps certificates: name the right one with --ca-bundle or AWS_CA_BUNDLE
    [exit status: 6]
    ");
}

#[test]
fn handshakes_that_fail() {
    // A TLS 1.0 server refuses the version within TLS.
    insta::assert_snapshot!(run(&peers::says(b"\x15\x03\x01\x00\x02\x02\x46", false).url("https"), &[]), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: it speaks neither TLS 1.2 nor 1.3
    hint: enable TLS 1.2 or 1.3 at the server
    [exit status: 6]
    ");
    insta::assert_snapshot!(run(&peers::says(b"\x15\x03\x03\x00\x02\x02\x28", false).url("https"), &[]), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: it refused the handshake (HandshakeFailure)
    hint: the server, or a proxy in front of it, does not accept this name, these versions (TLS 1.2, 1.3) or a client without a certificate: its log says which
    [exit status: 6]
    ");
    insta::assert_snapshot!(run(&peers::says(b"", false).url("https"), &[]), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: it closed the connection in the middle of the handshake
    hint: is TLS spoken on that port? a firewall or proxy in between may also cut it off
    [exit status: 6]
    ");
    let (ca, server) = peers::signed(|_| {});
    let peer = peers::https(&server, Some(&ca), "200 OK", "");
    let env = TestEnv::without_server(&peer.url("https"));
    let ca = env.write("ca.pem", &ca);
    insta::assert_snapshot!(shown(&env.run([Path::new("models"), Path::new("--ca-bundle"), &ca])), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: it requires a client certificate
    hint: modeldepot cannot present a client certificate: use an address of the server that does not require one
    [exit status: 6]
    ");
}

#[test]
fn an_endpoint_with_the_bucket_in_it() {
    let endpoint = "http://models.s3.example.invalid:9000";
    insta::assert_snapshot!(run(endpoint, &[]), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: failed to lookup address information: [SYSTEM]
    hint: S3_ENDPOINT names the bucket `models` in its host: set it to http://s3.example.invalid:9000
    [exit status: 6]
    ");
    let website = "http://models.s3-website-us-east-1.example.invalid";
    insta::assert_snapshot!(run(website, &[]), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: failed to lookup address information: [SYSTEM]
    hint: S3_ENDPOINT is a bucket's web site, which only serves pages: leave it empty, and set S3_REGION to the bucket's region
    [exit status: 6]
    ");
}
