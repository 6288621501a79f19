//! Requests that browsers send for web pages, byte for byte.

use modeldepot_embedded::{Config, Server};

use crate::client::{Answer, Client};
use crate::serve::{Running, blocking, config, running};

async fn running_with(change: impl FnOnce(&mut Config)) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    change(&mut config);
    let server = Server::start(config).await.unwrap();
    let client = Client::new(server.local_addr());
    Running { server, client, folder }
}

/// A presigned request with the headers that a browser adds, and perhaps another `Host`.
fn ask(client: &Client, method: &str, target: &str, host: &str, marks: &str, body: &str) -> Answer {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n{marks}\r\n",
        body.len()
    );
    client.raw(&head, body.as_bytes())
}

const FORM: &str = "origin: https://evil.example\r\nsec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\n\
                    sec-fetch-dest: document\r\ncontent-type: text/plain\r\n";

const DELETE: &str = "<Delete><Object><Key>k</Key></Object><!--=--></Delete>";

#[tokio::test]
async fn a_form_of_another_site_deletes_nothing_though_it_signs_itself() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"precious");
        let own = client.address.to_string();
        let link = client.link("POST", "/models", "delete=", "600", &[]);
        for marks in [
            FORM,
            "origin: https://evil.example\r\n",
            "origin: null\r\n",
            "sec-fetch-site: cross-site\r\n",
            "sec-fetch-site: same-site\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: document\r\n",
        ] {
            let answer = ask(&client, "POST", &link, &own, marks, DELETE);
            assert_eq!((answer.status, answer.code()), (403, "AccessDenied".into()), "{marks}");
            assert!(answer.text().contains("web page of another origin"), "{}", answer.text());
        }
        // With no mark at all it is refused because it lacks a digest, which a form cannot send.
        let answer = ask(&client, "POST", &link, &own, "", DELETE);
        assert_eq!((answer.status, answer.code()), (400, "InvalidRequest".into()), "{}", answer.text());
        assert!(answer.text().contains("Content-MD5"));
        assert_eq!(client.get("/models/k").body, b"precious");
    })
    .await;
}

#[tokio::test]
async fn a_rebound_name_reads_and_writes_nothing() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"precious");
        let port = client.address.port();
        for host in [format!("evil.example:{port}"), "evil.example".into(), format!("127.0.0.1.evil.example:{port}")] {
            // To the browser this is its own origin: only the host name gives it away.
            let marks = format!("origin: http://{host}\r\nsec-fetch-site: same-origin\r\n");
            for marks in ["", &marks] {
                for (method, target) in [
                    ("GET", "/models/k"),
                    ("PUT", "/models/k"),
                    ("DELETE", "/models/k"),
                    ("GET", "/"),
                    ("OPTIONS", "/"),
                ] {
                    // Signed for the name that it is sent with.
                    let other = Client::new(client.address);
                    let link = other.link_for(&host, method, target);
                    let answer = ask(&client, method, &link, &host, marks, "");
                    assert_eq!((answer.status, answer.code()), (403, "AccessDenied".into()), "{method} {host}");
                    assert!(answer.text().contains("names of this machine"), "{}", answer.text());
                }
            }
        }
        assert_eq!(client.get("/models/k").body, b"precious");
        let local = format!("localhost:{port}");
        assert_eq!(ask(&client, "GET", &client.link_for(&local, "GET", "/models/k"), &local, "", "").body, b"precious");
    })
    .await;
}

#[tokio::test]
async fn other_names_are_answered_once_the_login_is_a_secret() {
    let r = running_with(|config| config.secret_key = "a secret of mine".into()).await;
    let client = r.client.signing_with("minioadmin", "a secret of mine");
    blocking(move || {
        client.put("/models/k", b"x");
        let host = "depot.example.com";
        let link = client.link_for(host, "GET", "/models/k");
        assert_eq!(ask(&client, "GET", &link, host, "", "").body, b"x");
        // Pages of other origins are still refused.
        assert_eq!(ask(&client, "GET", &link, host, "origin: https://evil.example\r\n", "").status, 403);
        assert_eq!(ask(&client, "GET", &link, host, "origin: https://depot.example.com\r\n", "").status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_link_opens_in_a_tab_and_nowhere_else() {
    let r = running().await;
    let (access_key, secret_key) = r.server.owner_keys();
    let owner = r.client.signing_with(access_key, secret_key);
    let client = r.client;
    blocking(move || {
        let head = [("content-type", "text/html")];
        client.send("PUT", "/models/page", &head, b"<script>alert(1)</script>");
        let own = client.address.to_string();
        let tab = "sec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: document\r\n";
        // As in the console's redirects, signed with a key that no page knows.
        let link = owner.link("GET", "/models/page", "", "600", &[]);
        let answer = ask(&client, "GET", &link, &own, tab, "");
        assert_eq!(answer.status, 200);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"), "{policy}");
        assert!(!policy.contains("allow-") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
        for marks in [
            tab.replace("document", "iframe"),
            tab.replace("navigate", "no-cors"),
            "sec-fetch-site: cross-site\r\nsec-fetch-mode: no-cors\r\nsec-fetch-dest: image\r\n".into(),
            format!("{tab}origin: https://evil.example\r\n"),
        ] {
            assert_eq!(ask(&client, "GET", &link, &own, &marks, "").status, 403, "{marks}");
        }
        // A page that signs for itself does not even learn whether the object exists.
        let forged = client.link("GET", "/models/page", "", "600", &[]);
        assert_eq!(ask(&client, "GET", &forged, &own, tab, "").status, 403);
        let from_here = tab.replace("cross-site", "same-site");
        assert_eq!(ask(&client, "GET", &forged, &own, &from_here, "").status, 200);
    })
    .await;
}

#[tokio::test]
async fn an_allowed_origin_gets_cors_and_every_other_stays_out() {
    let r = running_with(|config| config.cors_origins = vec!["https://notebooks.example.com".parse().unwrap()]).await;
    let client = r.client;
    blocking(move || {
        client.send("PUT", "/models/k", &[("x-amz-meta-who", "ana")], b"x");
        let own = client.address.to_string();
        let page = "origin: https://notebooks.example.com\r\nsec-fetch-site: cross-site\r\nsec-fetch-mode: cors\r\n";
        let asked = format!(
            "{page}access-control-request-method: PUT\r\naccess-control-request-headers: authorization,x-amz-date\r\n\
             access-control-request-private-network: true\r\n"
        );
        let answer = ask(&client, "OPTIONS", "/models/k", &own, &asked, "");
        assert_eq!((answer.status, answer.body.len()), (204, 0));
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://notebooks.example.com"));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD, PUT, POST, DELETE"));
        assert_eq!(answer.header("access-control-allow-headers"), Some("authorization,x-amz-date"));
        assert_eq!(answer.header("access-control-allow-private-network"), Some("true"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert!(answer.header("access-control-max-age").is_some());
        assert!(answer.head.contains("vary: Origin"), "{}", answer.head);

        let answer = ask(&client, "GET", &client.link("GET", "/models/k", "", "600", &[]), &own, page, "");
        assert_eq!((answer.status, &*answer.body), (200, &b"x"[..]));
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://notebooks.example.com"));
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for name in ["etag", "x-amz-meta-who", "x-amz-request-id", "accept-ranges"] {
            assert!(exposed.split(", ").any(|one| one == name), "{name} is not in {exposed}");
        }
        // Errors can be read as well.
        let answer = ask(&client, "GET", &client.link("GET", "/models/none", "", "600", &[]), &own, page, "");
        assert_eq!((answer.status, answer.code()), (404, "NoSuchKey".into()));
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://notebooks.example.com"));
        let answer = ask(&client, "GET", "/models/k", &own, page, "");
        assert_eq!(answer.status, 403, "an allowed page must sign as everybody");
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://notebooks.example.com"));

        let other = asked.replace("notebooks", "evil");
        let answer = ask(&client, "OPTIONS", "/models/k", &own, &other, "");
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None));
        assert!(answer.head.contains("vary: Origin"), "{}", answer.head);
        // Responses to requests without an origin declare that they depend on it.
        assert!(client.get("/models/k").head.contains("vary: Origin"));
    })
    .await;
}

#[tokio::test]
async fn deletes_are_compared_with_their_digest() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        let delete = |headers: &[(&str, &str)]| {
            client.put("/models/k", b"x");
            let answer = client.send("POST", "/models?delete=", headers, DELETE.as_bytes());
            let left = client.get("/models/k").status == 200;
            (answer.status, answer.code(), left)
        };
        let gone = (200, String::new(), false);
        let kept = |status, code: &str| (status, code.to_owned(), true);
        let (md5, crc32, sha256) = (md5_of(DELETE), "CRC32", "SHA256");
        assert_eq!(delete(&[("content-md5", &md5)]), gone);
        assert_eq!(delete(&[]), kept(400, "InvalidRequest"));
        assert_eq!(delete(&[("x-amz-sdk-checksum-algorithm", crc32)]), kept(400, "InvalidRequest"));
        assert_eq!(delete(&[("x-amz-checksum-algorithm", sha256)]), kept(400, "InvalidRequest"));
        assert_eq!(delete(&[("content-md5", &md5_of("other"))]), kept(400, "BadDigest"));
        assert_eq!(delete(&[("content-md5", "nonsense")]), kept(400, "InvalidDigest"));
        assert_eq!(delete(&[("x-amz-checksum-crc32", "AAAAAA==")]), kept(400, "BadDigest"));
        assert_eq!(delete(&[("x-amz-checksum-crc32", "x")]), kept(400, "InvalidRequest"));
        assert_eq!(delete(&[("content-md5", &md5), ("x-amz-checksum-crc32", "AAAAAA==")]), kept(400, "BadDigest"));
        // Written so that it could be mistaken for the path of an object.
        let answer = client.send("POST", "/models/?delete=", &[("content-md5", &md5_of("other"))], DELETE.as_bytes());
        assert_eq!((answer.status, answer.code()), (400, "BadDigest".into()));
        assert_eq!(client.get("/models/k").status, 200);
    })
    .await;
}

pub(crate) fn md5_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(fast_md5::digest(text.as_bytes()))
}
