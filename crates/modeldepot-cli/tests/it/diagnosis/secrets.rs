//! What is shown of a server's response, and what never is.

use super::at;
use crate::environment::TestEnv;
use crate::peers::{self, Peer};

/// At most one more request, without credentials.
#[test]
fn a_diagnosis_is_short_and_shows_no_login() {
    let peer = peers::says(b"SSH-2.0-OpenSSH_9.6\r\n", true);
    let _ = at(&peer);
    assert_eq!(peer.connections(), 2, "the request, and one more to identify it");
    let heads = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let noted = std::sync::Arc::clone(&heads);
    let peer = Peer::start(move |mut stream| {
        use std::io::Read as _;
        let mut head = [0; 4096];
        let read = stream.read(&mut head).unwrap_or_default();
        noted.lock().unwrap().push_str(&String::from_utf8_lossy(&head[..read]).to_lowercase());
    });
    let said = at(&peer);
    let heads = heads.lock().unwrap();
    let looks: Vec<&str> = heads.split("get ").filter(|head| head.starts_with("/ http")).collect();
    assert_eq!(looks.len(), 1, "{heads}");
    assert!(!looks[0].contains("authorization") && !looks[0].contains("x-amz"), "{heads}");
    insta::assert_snapshot!(said, @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: connection closed before message completed
    hint: the port is open but does not answer HTTP: is it the S3 server's, with the right scheme?
    [exit status: 6]
    ");
}

#[test]
fn the_body_of_a_refusal_is_in_the_log_and_no_secret_is() {
    let echo = peers::web(|line| {
        let body = format!(
            "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message><Line>{line}</Line>\
             <StringToSign>AWS4-HMAC-SHA256</StringToSign><Token-0>the-session-token</Token-0>\
             <Note>the-session-token X-Amz-Signature=abcdef</Note></Error>"
        );
        ("403 Forbidden\r\nx-amz-request-id: REQUEST-1\r\nx-amz-id-2: HOST-2".to_owned(), body)
    });
    let env = TestEnv::without_server(&echo.url("http"));
    let login = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "the-secret-key-of-this-test"),
        ("AWS_SESSION_TOKEN", "the-session-token"),
    ];
    let ended = env.run_with(["models", "-vv"], &login);
    for secret in ["the-session-token", "the-secret-key", "AWS4-HMAC-SHA256", "abcdef"] {
        assert!(!ended.stderr.contains(secret), "{secret}: {ended}");
    }
    for part in ["GET /models", "REQUEST-1 HOST-2", "403", "<Code>SignatureDoesNotMatch</Code>"] {
        assert!(ended.stderr.contains(part), "{part}: {ended}");
    }
    let quiet = env.run_with(["models", "-v"], &login);
    assert!(!quiet.stderr.contains("<Code>"), "{quiet}");
    // Other responses than S3 errors as well.
    let page = peers::http("403 Forbidden\r\nContent-Type: text/html", "<html>\u{1b}[2Jblocked by policy 17</html>");
    let ended = TestEnv::without_server(&page.url("http")).run(["models", "-vv"]);
    assert!(ended.stderr.contains("blocked by policy 17") && !ended.stderr.contains('\u{1b}'), "{ended}");
}

/// A server, or something in between, may repeat what it was sent. That must not reach terminals and CI logs.
#[test]
fn what_repeats_a_secret_is_shown_without_it() {
    const TOKEN: &str = "IQoJb3Jp/Z2lu+X2VjEFwoGZXIvYXdz==";
    let encoded = TOKEN.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    let html = "text/html";
    for (head, body) in [
        (format!("403 Forbidden\r\nContent-Type: {html}"), format!("<html><title>denied {TOKEN}</title></html>")),
        (format!("200 OK\r\nContent-Type: {html}"), format!("<html><title>hello {encoded}</title></html>")),
        ("404 Not Found\r\nContent-Type: text/plain".to_owned(), format!("you sent {TOKEN} and more")),
        (format!("403 Forbidden\r\nServer: x {TOKEN}\r\nContent-Type: {html}"), "<html>x</html>".to_owned()),
        (format!("302 Found\r\nLocation: /login/{encoded}"), String::new()),
        (
            "400 Bad Request\r\nContent-Type: application/xml".to_owned(),
            format!("<Error><Code>Odd</Code><Message>token {TOKEN} is odd</Message></Error>"),
        ),
        (
            "400 Bad Request\r\nx-amz-request-id: 1\r\nContent-Type: application/xml".to_owned(),
            format!("<Error><Code>Odd{TOKEN}</Code><Message>{encoded}</Message></Error>"),
        ),
    ] {
        let peer = peers::http(&head, &body);
        let env = TestEnv::without_server(&peer.url("http"));
        let login = [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "the-secret-key-of-this-test"),
            ("AWS_SESSION_TOKEN", TOKEN),
        ];
        for verb in [["models"].as_slice(), &["models", "-vv"], &["doctor"], &["init"]] {
            let ended = env.run_with(verb, &login);
            let text = ended.to_string();
            // Other verbs send requests whose responses have no body.
            assert!(text.contains("hidden") || verb[0] != "models", "nothing is told of {head} {body}: {text}");
            for part in ["IQoJb3Jp", "Z2lu", "X2VjEFwo"] {
                assert!(!text.contains(part), "{text}");
            }
        }
    }
}
