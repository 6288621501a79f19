//! Tokens with grants for certain models.

use hyper::Method;
use modeldepot_server::{Grants, Scope, Tokens, routes};
use serde_json::json;

use crate::place::{Answer, Place, form};
use crate::routes::path_of;

/// A service with the models `plant-a` and `soil`, and a token with these grants.
async fn place(grants: &str) -> (Place, String, tempfile::TempDir) {
    let (place, [token], folder) = place_for([grants]).await;
    (place, token, folder)
}

/// The same with several tokens, created before the service starts: a token added later is only known after the next
/// check of the file.
async fn place_for<const N: usize>(grants: [&str; N]) -> (Place, [String; N], tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let names = ["ci", "other"].into_iter();
    let tokens = names.zip(grants).map(|(name, grants)| Tokens::add(&file, name, grants.parse::<Grants>().unwrap()));
    let tokens: Vec<String> = tokens.map(|token| format!("Bearer {}", token.unwrap())).collect();
    let place = Place::with(|config| config.tokens = Some(file.clone())).await;
    for model in ["plant-a", "soil", "m"] {
        for version in ["1", "2"] {
            place.push(model, version, &[("f", version.as_bytes())], json!({"model": model})).await;
        }
    }
    (place, tokens.try_into().unwrap(), folder)
}

async fn ask(place: &Place, method: Method, path: &str, token: &str) -> Answer {
    place.send(method, path, &[("authorization", token)], b"").await
}

/// No route of a model or a bucket serves a token without a grant for it. The path of `path_of` is that of model `m`.
#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_a_model_asks_for_a_grant_for_it() {
    let (place, token, _folder) = place("delete:plant-*").await;
    let (mut models, mut whole) = (0, 0);
    for route in routes().into_iter().filter(|route| route.needs.is_some()) {
        let refused = match (route.path.contains("{model}"), route.path) {
            (true, _) => {
                models += 1;
                true
            }
            (_, path) => ["/buckets", "/health", "/metrics"].iter().any(|whole| path.starts_with(whole)),
        };
        whole += usize::from(refused);
        let answer = ask(&place, route.method.parse().unwrap(), &path_of(&route), &token).await;
        assert_eq!(answer.status == 403, refused, "{route:?}: {answer:?}");
    }
    assert!(models >= 15 && whole > models + 5, "{models} {whole}");
    place.get("/healthz").await.is(200);
    for route in routes().into_iter().filter(|route| route.is_safe() && route.path.contains("{model}")) {
        let path = path_of(&route).replace("/models/m", "/models/plant-a");
        let answer = ask(&place, Method::GET, &path, &token).await;
        assert_ne!(answer.status.as_u16(), 403, "{route:?}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_pages_show_only_what_the_token_may_see() {
    let (place, token, _folder) = place("read:plant-*").await;
    let listed = ask(&place, Method::GET, "/api/v1/models", &token).await.is(200).json();
    let names: Vec<&str> = listed["models"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["plant-a"]);
    for path in ["/", "/?q=soil", "/compare", "/compare?v=plant-a@1&v=plant-a@2", "/models/plant-a", "/models/plant-b"]
    {
        let answer = ask(&place, Method::GET, path, &token).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        // The input is shown again in its field.
        assert!(!text.replace("value=\"soil\"", "").contains("soil"), "{path}: {text}");
        assert!(!text.contains("href=\"/buckets\"") && !text.contains("href=\"/health\""), "{path}: {text}");
    }
    for path in ["/compare?v=plant-a@1&v=soil@1", "/compare/model.svg?v=soil@1", "/publish", "/buckets/data"] {
        ask(&place, Method::GET, path, &token).await.is(403);
    }
    let refused = ask(&place, Method::GET, "/metrics", &token).await.is(403).json();
    insta::assert_snapshot!(refused["detail"].as_str().unwrap(), @r"token `ci` only covers models; raw buckets, the health page and /metrics need a grant without a pattern");
    let refused = ask(&place, Method::GET, "/api/v1/models/soil/versions", &token).await.is(403).json();
    insta::assert_snapshot!(refused["detail"].as_str().unwrap(), @"token `ci` may not read model `soil`");
    insta::assert_snapshot!(refused["hint"].as_str().unwrap(), @"it has `read:plant-*`; ask the operator of this service for a token with the grant `read:soil`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suggestion_names_no_model_that_the_token_may_not_see() {
    let (place, [token, other], _folder) = place_for(["read:soi?,read:soill", "read:soill"]).await;
    let missing = |path: &'static str, token: String| {
        let place = &place;
        async move { ask(place, Method::GET, path, &token).await.is(404).json()["hint"].to_string() }
    };
    assert!(missing("/api/v1/models/soill/versions", token.clone()).await.contains("`soil`"));
    let hint = missing("/api/v1/models/soill/versions", other).await;
    assert!(!hint.contains("`soil`"), "{hint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_and_jobs_are_those_of_models_that_the_token_may_have() {
    let (place, [token, all], _folder) = place_for(["publish:plant-*", "delete"]).await;
    let begin = async |model: &str, token: &str| {
        let body = json!({"version": "9", "files": [{"path": "f", "size": 1}]}).to_string();
        let headers = [("authorization", token), ("content-type", "application/json")];
        place.send(Method::POST, &format!("/api/v1/models/{model}/uploads"), &headers, body.as_bytes()).await
    };
    begin("soil", &token).await.is(403);
    begin("plant-a", &token).await.is(201);
    let theirs = begin("soil", &all).await.is(201).json()["id"].as_str().unwrap().to_owned();
    let parts = json!({"path": "f", "parts": [1]}).to_string();
    let headers = |token| [("authorization", token), ("content-type", "application/json")];
    let path = format!("/api/v1/uploads/{theirs}/parts");
    place.send(Method::POST, &path, &headers(token.as_str()), parts.as_bytes()).await.is(404);
    ask(&place, Method::POST, &format!("/api/v1/uploads/{theirs}/complete"), &token).await.is(404);
    ask(&place, Method::DELETE, &format!("/api/v1/uploads/{theirs}"), &token).await.is(404);
    place.send(Method::POST, &path, &headers(all.as_str()), parts.as_bytes()).await.is(200);

    let job = ask(&place, Method::POST, "/api/v1/models/soil/versions/1/verify", &all).await.is(202);
    let job = job.header("location").to_owned();
    ask(&place, Method::GET, &job, &token).await.is(404);
    ask(&place, Method::GET, &format!("{job}/events"), &token).await.is(404);
    ask(&place, Method::GET, &job, &all).await.is(200);

    let (kind, body) = form(&[("file", Some("f"), b"x")]);
    let headers = [("authorization", token.as_str()), ("content-type", &kind)];
    place.send(Method::POST, "/api/v1/models/soil/versions", &headers, &body).await.is(403);
    place.send(Method::POST, "/api/v1/models/plant-new/versions", &headers, &body).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_and_rotated_tokens_end_with_their_sessions_and_links() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let soon = time::OffsetDateTime::now_utc() + std::time::Duration::from_secs(600);
    let token = Tokens::add_until(&file, "ci", Scope::Delete, Some(soon)).unwrap();
    let past = time::OffsetDateTime::now_utc() - std::time::Duration::from_secs(60);
    let expired = Tokens::add_until(&file, "old", Scope::Read, Some(past)).unwrap();
    let removed = format!("Bearer {}", Tokens::add(&file, "removed", Scope::Read).unwrap());
    let place = Place::with(|config| config.tokens = Some(file.clone())).await;
    place.push("m", "1", &[("f", b"x")], json!({})).await;
    let bearer = format!("Bearer {token}");
    // A link expires with the token.
    let link = ask(&place, Method::GET, "/api/v1/models/m/versions/1/link?expires=3600", &bearer).await.is(200).json();
    let url = link["url"].as_str().unwrap();
    let seconds: u64 = url.split("X-Amz-Expires=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
    assert!((1..=600).contains(&seconds), "{url}");
    let log_in = async |token: &str| {
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        loop {
            // The number of concurrent logins is limited.
            let answer = place.send(Method::POST, "/login", &kind, format!("token={token}").as_bytes()).await;
            if answer.status != 429 {
                break answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    let cookie = log_in(&token).await.is(303).header("set-cookie").split(';').next().unwrap().to_owned();
    let page = async || place.send(Method::GET, "/", &[("cookie", &cookie)], b"").await.status.as_u16();
    assert_eq!(page().await, 200);

    // During the grace period the old secret and its session work; without one they end, and the new secret works.
    Tokens::rotate(&file, "ci", std::time::Duration::from_secs(60), None).unwrap();
    Tokens::remove(&file, "removed").unwrap();
    // Once this token is unknown, the service has reloaded the file.
    while ask(&place, Method::GET, "/api/v1/models", &removed).await.status == 200 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(page().await, 200);
    let third = Tokens::rotate(&file, "ci", std::time::Duration::ZERO, None).unwrap();
    while page().await != 303 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    ask(&place, Method::GET, "/api/v1/models", &bearer).await.is(401);
    ask(&place, Method::GET, "/api/v1/models", &format!("Bearer {third}")).await.is(200);

    let bearer = format!("Bearer {expired}");
    let answer = ask(&place, Method::GET, "/api/v1/models", &bearer).await.is(401).json();
    assert!(answer["detail"].as_str().unwrap().starts_with("token `old` expired on 20"), "{answer}");
    insta::assert_snapshot!(answer["hint"].as_str().unwrap(), @"ask the operator of this service to renew it");
    log_in(&expired).await.is(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_over_https_is_of_this_host_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let token = Tokens::add(&file, "ci", Scope::Read).unwrap();
    for (public, begin, others) in [
        (None, "modeldepot_session=", "__Host-modeldepot_session="),
        (Some("https://models.example"), "__Host-modeldepot_session=", "modeldepot_session="),
    ] {
        let place = Place::with(|config| {
            config.tokens = Some(file.clone());
            config.public_url = public.map(|url| url.parse().unwrap());
        })
        .await;
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let answer = place.send(Method::POST, "/login", &kind, format!("token={token}").as_bytes()).await.is(303);
        let set = answer.header("set-cookie");
        assert!(set.starts_with(begin) && set.contains("; Path=/;") && !set.contains("Domain"), "{set}");
        assert_eq!(set.contains("; Secure"), public.is_some(), "{set}");
        let value = set.split(';').next().unwrap().split_once('=').unwrap().1;
        let with = async |name: &str| {
            place.send(Method::GET, "/", &[("cookie", &format!("{name}{value}"))], b"").await.status.as_u16()
        };
        assert_eq!((with(begin).await, with(others).await), (200, 303));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_is_written_when_the_service_stops() {
    let (place, token, folder) = place("read").await;
    ask(&place, Method::GET, "/api/v1/models", &token).await.is(200);
    place.server.stop().await;
    let used = modeldepot_server::last_used(&folder.path().join("tokens"));
    assert_eq!(used.keys().collect::<Vec<_>>(), ["ci"]);
}
