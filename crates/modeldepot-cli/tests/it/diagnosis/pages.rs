//! Web pages, redirects and other responses that are not S3's.

use super::{at, shown};
use crate::environment::TestEnv;
use crate::peers;

#[test]
fn a_web_page_is_not_s3() {
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>Sign in to Example</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 200 with the web page `Sign in to Example` (Server: nginx/1.24.0)
    hint: a login page is in front of that address, or this network has one (open a page in a browser): S3 needs an address without it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("401 Unauthorized\r\nServer: nginx/1.24.0\r\nContent-Type: text/html\r\nWWW-Authenticate: Basic", "<!DOCTYPE html><html><head><title>401 Authorization Required</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 401 with the web page `401 Authorization Required` (Server: nginx/1.24.0)
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("403 Forbidden\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>403 Forbidden</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 403 with the web page `403 Forbidden` (Server: nginx/1.24.0)
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 404 with the web page `404 Not Found` (Server: nginx/1.24.0)
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("405 Not Allowed\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>405 Not Allowed</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 405 with the web page `405 Not Allowed` (Server: nginx/1.24.0)
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is a fresh nginx
    hint: another service is on that port: set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nContent-Type: text/html", "<html><title>\u{1b}[2J`rm`\u{202e}  evil\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx</title>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 200 with the web page `\u{1b}[2J'rm'\u{202e} evil xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
}

#[test]
fn what_a_gateway_says_of_a_server_that_is_down_passes() {
    // It is retried, and then reported.
    insta::assert_snapshot!(at(&peers::http("502 Bad Gateway\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` failed to list bucket `models`
    caused by: it answers HTTP 502 with the web page `502 Bad Gateway` (Server: nginx/1.24.0)
    hint: try again; a push or pull can be repeated safely
    [exit status: 6]
    ");
    insta::assert_snapshot!(at(&peers::http("503 Service Unavailable\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>503 Service Temporarily Unavailable</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` failed to list bucket `models`
    caused by: it answers HTTP 503 with the web page `503 Service Temporarily Unavailable` (Server: nginx/1.24.0)
    hint: try again; a push or pull can be repeated safely
    [exit status: 6]
    ");
    insta::assert_snapshot!(at(&peers::http("504 Gateway Time-out\r\nContent-Type: text/plain", "upstream request timeout")), @r"
    ------- stderr -------
    error: `$ENDPOINT` failed to list bucket `models`
    caused by: it answers HTTP 504 with the text `upstream request timeout`
    hint: try again; a push or pull can be repeated safely
    [exit status: 6]
    ");
    insta::assert_snapshot!(at(&peers::http("429 Too Many Requests\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>429 Too Many Requests</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` failed to list bucket `models`
    caused by: it answers HTTP 429 with the web page `429 Too Many Requests` (Server: nginx/1.24.0)
    hint: try again; a push or pull can be repeated safely
    [exit status: 6]
    ");
}

#[test]
fn a_redirect_is_followed_by_the_user_only() {
    insta::assert_snapshot!(at(&peers::http("301 Moved Permanently\r\nServer: nginx/1.24.0\r\nContent-Type: text/html\r\nLocation: https://127.0.0.1/models?list-type=2", "")), @r"
    ------- stderr -------
    error: `$ENDPOINT` redirects to `https://127.0.0.1/models` (HTTP 301)
    hint: set S3_ENDPOINT=https://127.0.0.1
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("302 Found\r\nLocation: https://login.example.com/signin?continue=http%3A%2F%2Fx&token=secret", "")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it redirects to `https://login.example.com/signin` (HTTP 302)
    hint: a login page is in front of that address, or this network has one (open a page in a browser): S3 needs an address without it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("303 See Other\r\nLocation: /login", "")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it redirects to `$ENDPOINT/login` (HTTP 303)
    hint: a login page is in front of that address, or this network has one (open a page in a browser): S3 needs an address without it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("307 Temporary Redirect\r\nLocation: http://other.example.com:9000/models", "")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it redirects to `http://other.example.com:9000/models` (HTTP 307)
    hint: if the S3 API is there, set S3_ENDPOINT to that address; else a proxy or another service is in between
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("308 Permanent Redirect\r\nLocation: http://user:secret@portal.example.com/", "")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it redirects to `http://portal.example.com/` (HTTP 308)
    hint: a login page is in front of that address, or this network has one (open a page in a browser): S3 needs an address without it
    [exit status: 2]
    ");
}

#[test]
fn answers_that_are_no_documents_of_s3() {
    insta::assert_snapshot!(at(&peers::http("403 Forbidden", "")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 403 with an empty body
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nContent-Type: text/plain", "404 page not found")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 404 with the text `404 page not found`
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nContent-Type: application/rss+xml", "<?xml version='1.0'?><rss version='2.0'><channel/></rss>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 200 with XML that is not S3's, `rss`
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nContent-Type: text/xml", "<?xml version='1.0'?><soap:Envelope xmlns:soap='urn:x'/>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 404 with XML that is not S3's, `Envelope`
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    // An S3 error counts in any namespace.
    insta::assert_snapshot!(at(&peers::http("403 Forbidden", "<?xml version='1.0'?><Error xmlns='urn:other'><Code>AccessDenied</Code><Message>no</Message></Error>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` refused to list bucket `models`: AccessDenied
    hint: ask for a policy that allows it, or check S3_ACCESS_KEY and S3_SECRET_KEY
    [exit status: 5]
    ");
}

#[test]
fn a_server_that_says_yes_to_everything_is_not_s3() {
    let peer = peers::http("200 OK", "");
    insta::assert_snapshot!(at(&peer), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 200 with an empty body
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    let env = TestEnv::without_server(&peer.url("http"));
    env.write("m.bin", "weights");
    for verb in [["init"].as_slice(), &["push", "m", "m.bin"], &["versions", "m"], &["s3", "ls", "s3://models"]] {
        let ended = env.run(verb);
        assert!(ended.code == Some(2) && ended.stderr.contains("HTTP 200 with an empty body"), "{verb:?}: {ended}");
    }
    let doctor = env.run(["doctor"]);
    assert!(doctor.code != Some(0) && doctor.stdout.contains("an empty body"), "{doctor}");
}

/// A server known to be S3 is not mistaken for another because of an occasional page from a proxy.
#[test]
fn a_page_in_between_is_an_incident_once_s3_has_answered() {
    let list = "<?xml version='1.0'?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    let peer = peers::web(move |line| match line.contains("list-type=2") {
        true => ("200 OK\r\nx-amz-request-id: 1\r\nContent-Type: application/xml".to_owned(), list.to_owned()),
        false => ("404 Not Found\r\nContent-Type: text/html".to_owned(), "<html><title>404</title>".to_owned()),
    });
    let env = TestEnv::without_server(&peer.url("http"));
    insta::assert_snapshot!(shown(&env.run(["versions", "m"])), @r"
    ------- stderr -------
    error: model `m` does not exist
    hint: `modeldepot models` lists the models of this bucket
    [exit status: 3]
    ");
}
