//! Presigned links created by the service: their lifetimes, and how browsers treat their targets.

use std::path::Path;

use hyper::Method;
use modeldepot_server::{Redirect, Scope, Tokens};
use serde_json::json;
use time::OffsetDateTime;
use url::Url;

use crate::place::{Answer, Place, send};

const VERSION: &str = "/api/v1/models/m/versions/1";
const PAGE: &[u8] = b"<script>alert(document.domain)</script>";

fn life(url: &str) -> u64 {
    let url: Url = url.parse().unwrap();
    let expires = url.query_pairs().find(|(name, _)| name == "X-Amz-Expires");
    expires.unwrap().1.parse().unwrap()
}

/// Fetches the target of a link, as a browser does.
async fn follow(url: &str) -> Answer {
    let url: Url = url.parse().unwrap();
    let path = format!("{}?{}", url.path(), url.query().unwrap());
    send(url.socket_addrs(|| None).unwrap()[0], Method::GET, &path, &[("host", url.authority())], b"").await
}

async fn ask(place: &Place, token: &str, path: &str) -> Answer {
    place.send(Method::GET, path, &[("authorization", &format!("Bearer {token}"))], b"").await
}

async fn place(file: &Path) -> Place {
    let place = Place::with(|config| {
        config.tokens = Some(file.to_owned());
        config.redirect = Redirect::Always;
    })
    .await;
    let files: [(&str, &[u8]); 4] =
        [("page.html", PAGE), ("picture.svg", PAGE), ("m.bin", PAGE), ("n\u{fc} \"x\"\u{202e}.xhtml", PAGE)];
    place.push("m", "1", &files, json!({})).await;
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn links_live_as_long_as_the_scope_allows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let [read, share, publish] =
        [Scope::Read, Scope::Share, Scope::Publish].map(|scope| Tokens::add(&file, scope.as_str(), scope).unwrap());
    let one = Tokens::add(&file, "one", "read,share:other".parse::<modeldepot_server::Grants>().unwrap()).unwrap();
    let place = place(&file).await;
    let link = async |token: &str, query: &str| ask(&place, token, &format!("{VERSION}/link{query}")).await;
    let url =
        async |token: &str, query: &str| link(token, query).await.is(200).json()["url"].as_str().unwrap().to_owned();
    for token in [&read, &one] {
        assert_eq!(life(&url(token, "").await), 900, "what is not asked for is as much as is allowed");
        assert_eq!(life(&url(token, "?expires=900").await), 900);
        for longer in ["?expires=901", "?expires=3600", "?expires=604800"] {
            assert_eq!(link(token, longer).await.is(403).json()["kind"], "denied");
        }
    }
    for token in [&share, &publish] {
        assert_eq!(life(&url(token, "").await), 3600);
        assert_eq!(life(&url(token, "?expires=604800").await), 604_800);
        link(token, "?expires=604801").await.is(400);
    }
    let refused = link(&read, "?expires=3600").await.is(403).json();
    insta::assert_snapshot!(refused["detail"].as_str().unwrap(), @"token `read` may create links valid for at most 15 minutes");
    insta::assert_snapshot!(refused["hint"].as_str().unwrap(), @"request a shorter lifetime, or use a token with scope `share`");
    // A redirect is a link as well, with the shortest lifetime for everyone.
    for token in [&read, &publish] {
        let moved = ask(&place, token, &format!("{VERSION}/files/m.bin")).await.is(302);
        assert_eq!(life(moved.header("location")), 900);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_link_outlives_the_token_that_it_was_made_by() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let soon = OffsetDateTime::now_utc() + time::Duration::minutes(10);
    let token = Tokens::add_until(&file, "soon", Scope::Publish, Some(soon)).unwrap();
    let place = place(&file).await;
    let answer = ask(&place, &token, &format!("{VERSION}/link?expires=604800")).await.is(200).json();
    assert!(life(answer["url"].as_str().unwrap()) <= 600, "{answer}");
    let told =
        OffsetDateTime::parse(answer["expires"].as_str().unwrap(), &time::format_description::well_known::Rfc3339);
    assert!(told.unwrap() <= soon, "{answer}");
    let moved = ask(&place, &token, &format!("{VERSION}/files/m.bin")).await.is(302);
    assert!(life(moved.header("location")) <= 600);
}

/// Published HTML and SVG would run under the name of the S3 endpoint.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_link_leads_to_is_saved_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let token = Tokens::add(&file, "x", Scope::Read).unwrap();
    let place = place(&file).await;
    for (name, saved) in [
        ("page.html", "attachment; filename=\"page.html\""),
        ("picture.svg", "attachment; filename=\"picture.svg\""),
        (
            "n%C3%BC%20%22x%22%E2%80%AE.xhtml",
            "attachment; filename=\"n_ _x__.xhtml\"; filename*=UTF-8''n%C3%BC%20%22x%22%E2%80%AE.xhtml",
        ),
    ] {
        let moved = ask(&place, &token, &format!("{VERSION}/files/{name}")).await.is(302);
        let shared = ask(&place, &token, &format!("{VERSION}/link?file={name}")).await.is(200).json();
        for url in [moved.header("location"), shared["url"].as_str().unwrap()] {
            let answer = follow(url).await.is(200);
            assert_eq!(answer.body, PAGE);
            assert_eq!(answer.header("content-type"), "application/octet-stream", "{url}");
            assert_eq!(answer.header("content-disposition"), saved);
            // It is signed, so it cannot be removed.
            let parsed: Url = url.parse().unwrap();
            let kept: Vec<_> = parsed.query_pairs().filter(|(name, _)| !name.starts_with("response-")).collect();
            let mut bare = parsed.clone();
            bare.query_pairs_mut().clear().extend_pairs(kept);
            follow(bare.as_str()).await.is(403);
        }
    }
}

/// The page only offers lifetimes that it can grant.
#[tokio::test(flavor = "multi_thread")]
async fn the_console_caps_links_like_the_api() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let [read, share] = [Scope::Read, Scope::Share].map(|scope| Tokens::add(&file, scope.as_str(), scope).unwrap());
    let place = place(&file).await;
    let post = async |token: &str, expires: u64| {
        let headers = [
            ("authorization", format!("Bearer {token}")),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = format!("file=page.html&expires={expires}");
        place.send(Method::POST, "/models/m/versions/1/share", &headers, body.as_bytes()).await
    };
    for (token, offered, refused) in [(&read, 1, 403), (&share, 5, 200)] {
        let page = String::from_utf8(post(token, 900).await.is(200).body.into()).unwrap();
        let lives = page.split("id=\"expires\"").nth(1).unwrap().split("</select>").next().unwrap();
        assert_eq!(lives.matches("<option").count(), offered, "{lives}");
        assert!(page.contains("response-content-disposition=attachment"), "{page}");
        post(token, 604_800).await.is(refused);
    }
}
