use super::*;

/// Returns the decision of a front: `direct`, `page`, or the status of the refusal.
fn decided(front: &Front, request: &str) -> String {
    let mut lines = request.lines();
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let mut asked = Request::builder().method(method).uri(target);
    for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
        asked = asked.header(name, value);
    }
    match front.admit(&asked.body(()).unwrap()) {
        Ok(Sender::Direct) => "direct".into(),
        Ok(Sender::Page(_) | Sender::Rule(..)) => "page".into(),
        Err(answer) if answer.status().is_success() => "preflight".into(),
        Err(answer) => answer.status().as_u16().to_string(),
    }
}

fn public(allowed: &[&str]) -> Front {
    Front::new(Some("minioadmin".into()), allowed.iter().map(|one| one.parse().unwrap()).collect(), Arc::default())
}

fn private(allowed: &[&str]) -> Front {
    Front::new(None, allowed.iter().map(|one| one.parse().unwrap()).collect(), Arc::default())
}

#[test]
fn with_the_known_login_only_names_of_this_machine_are_answered() {
    for host in [
        "localhost",
        "LOCALHOST:9000",
        "models.localhost:9000",
        "127.0.0.1",
        "127.0.0.1:9000",
        "127.8.9.1:1",
        "[::1]",
        "[::1]:9000",
        "[::ffff:127.0.0.1]:9000",
    ] {
        assert_eq!(decided(&public(&[]), &format!("GET /\nhost: {host}")), "direct", "{host}");
    }
    for host in [
        "evil.example:9000",
        "evil.example",
        "localhost.evil.example",
        "evillocalhost",
        "evil.example#.localhost",
        "evil.example/.localhost",
        "evil.example?.localhost",
        "evil.example@.localhost",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "0.0.0.0:9000",
        "10.0.0.1",
        "127.1",
        "2130706433",
        "[::2]:9000",
        "[::]",
        "[::1",
        "[::1]x",
        "localhost:90000",
        "localhost:x",
        "localhost:9000:evil",
        "",
        "ü",
    ] {
        assert_eq!(decided(&public(&[]), &format!("GET /\nhost: {host}")), "403", "{host}");
        assert_eq!(decided(&private(&[]), &format!("GET /\nhost: {host}")), "direct", "{host}");
    }
    assert_eq!(decided(&public(&[]), "GET /"), "403", "no host at all");
    assert_eq!(decided(&public(&[]), "GET http://evil.example/\nhost: localhost"), "403");
    assert_eq!(decided(&public(&[]), "GET http://localhost/\nhost: evil.example"), "403");
    assert_eq!(decided(&public(&[]), "GET http://localhost/\nhost: localhost"), "direct");
    assert_eq!(decided(&public(&[]), "GET /\nhost: localhost\nhost: localhost"), "400");
    assert_eq!(decided(&private(&[]), "GET /\nhost: a\nhost: b"), "400");
    // An allowed origin does not make other host names acceptable.
    let front = public(&["http://evil.example:9000"]);
    assert_eq!(decided(&front, "GET /\nhost: evil.example:9000\norigin: http://evil.example:9000"), "403");
}

#[test]
fn pages_of_other_origins_are_refused_with_every_method_and_every_login() {
    for front in [public(&[]), private(&[])] {
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
            for mark in [
                "origin: https://evil.example",
                "origin: null",
                "origin: http://localhost:8000",
                "origin: http://models.localhost:9000",
                "origin: http://127.0.0.1:9000",
                "origin: localhost:9000",
                "origin: ",
                "origin: http://localhost:9000, https://evil.example",
                "origin: http://localhost:9000\norigin: https://evil.example",
                "origin: http://localhost:9000\norigin: http://localhost:9000",
                "sec-fetch-site: cross-site",
                "sec-fetch-site: same-site",
                "sec-fetch-site: anything else",
                "sec-fetch-site: none\nsec-fetch-site: cross-site",
                "origin: http://localhost:9000\nsec-fetch-site: cross-site",
            ] {
                let request = format!("{method} /models?delete\nhost: localhost:9000\n{mark}");
                assert_eq!(decided(&front, &request), "403", "{request}");
            }
            for mark in [
                "origin: http://localhost:9000",
                "origin: http://LOCALHOST:9000",
                "sec-fetch-site: none",
                "sec-fetch-site: same-origin\norigin: http://localhost:9000",
                "user-agent: curl",
            ] {
                let request = format!("{method} /models\nhost: localhost:9000\n{mark}");
                assert_eq!(decided(&front, &request), "direct", "{request}");
            }
        }
    }
    let tls = "GET /\nhost: s3.example.com\norigin: https://s3.example.com";
    assert_eq!(decided(&private(&[]), tls), "direct");
    let port = "GET /\nhost: s3.example.com:443\norigin: https://s3.example.com";
    assert_eq!(decided(&private(&[]), port), "direct");
}

#[test]
fn a_link_may_be_opened_on_its_own_and_by_nothing_else() {
    let opened = |front: &Front, method: &str, key: &str, marks: &str| {
        let query = format!("X-Amz-Credential={key}%2F20261126%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=0");
        decided(front, &format!("{method} /models/k?{query}\nhost: localhost:9000\n{marks}"))
    };
    let tab = "sec-fetch-mode: navigate\nsec-fetch-dest: document";
    for site in ["cross-site", "same-site"] {
        let marks = format!("sec-fetch-site: {site}\n{tab}");
        for front in [public(&[]), private(&[])] {
            assert_eq!(opened(&front, "GET", "secret", &marks), "direct", "{site}");
            for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
                assert_eq!(opened(&front, method, "secret", &marks), "403", "{method}");
            }
            assert_eq!(opened(&front, "GET", "secret", &format!("{marks}\norigin: null")), "403");
            for other in [
                "sec-fetch-mode: navigate\nsec-fetch-dest: iframe",
                "sec-fetch-mode: navigate\nsec-fetch-dest: object",
                "sec-fetch-mode: no-cors\nsec-fetch-dest: document",
                "sec-fetch-mode: no-cors\nsec-fetch-dest: image",
                "sec-fetch-mode: cors\nsec-fetch-dest: empty",
                "sec-fetch-mode: navigate",
                "sec-fetch-dest: document",
                "sec-fetch-mode: navigate\nsec-fetch-dest: document\nsec-fetch-dest: iframe",
            ] {
                let marks = format!("sec-fetch-site: {site}\n{other}");
                assert_eq!(opened(&front, "GET", "secret", &marks), "403", "{marks}");
            }
        }
    }
    // A page of another site can sign with the public key; a page of this machine may show such a link.
    let cross = format!("sec-fetch-site: cross-site\n{tab}");
    let same = format!("sec-fetch-site: same-site\n{tab}");
    assert_eq!(opened(&public(&[]), "GET", "minioadmin", &cross), "403");
    assert_eq!(opened(&public(&[]), "GET", "%6dinioadmin", &cross), "403");
    assert_eq!(opened(&public(&[]), "GET", "x&X-Amz-Credential=minioadmin", &cross), "403");
    assert_eq!(opened(&public(&[]), "GET", "minioadmin", &same), "direct");
    // Without a signature it is no presigned link.
    assert_eq!(decided(&public(&[]), &format!("GET /models/k\nhost: localhost\n{same}")), "403");
}

#[test]
fn an_allowed_origin_is_let_through_and_told_so() {
    let front = public(&["https://notebooks.example.com", "http://localhost:5173/"]);
    let at = |method: &str, rest: &str| format!("{method} /models\nhost: localhost:9000\n{rest}");
    for origin in ["https://notebooks.example.com", "http://localhost:5173"] {
        for method in ["GET", "PUT", "POST", "DELETE"] {
            let marks = format!("origin: {origin}\nsec-fetch-site: cross-site");
            assert_eq!(decided(&front, &at(method, &marks)), "page");
        }
        let asked = format!("origin: {origin}\naccess-control-request-method: PUT");
        assert_eq!(decided(&front, &at("OPTIONS", &asked)), "preflight");
    }
    for origin in [
        "http://notebooks.example.com",
        "https://notebooks.example.com:444",
        "https://notebooks.example.com.evil.example",
        "https://evil.example",
        "null",
    ] {
        let asked = format!("origin: {origin}\naccess-control-request-method: PUT");
        assert_eq!(decided(&front, &at("OPTIONS", &asked)), "403", "{origin}");
        assert_eq!(decided(&front, &at("GET", &asked)), "403", "{origin}");
    }
}

#[test]
fn an_origin_is_scheme_host_and_port() {
    for (text, origin) in [
        ("http://localhost:5173", "http://localhost:5173"),
        ("https://Notebooks.Example.com:443/", "https://notebooks.example.com"),
        ("http://[::1]:80", "http://[::1]"),
    ] {
        assert_eq!(text.parse::<Origin>().unwrap().as_str(), origin);
    }
    for text in
        ["*", "null", "localhost:5173", "https://*.", "file:///x", "https://a/b", "https://a?b", "https://u@a", ""]
    {
        assert!(text.parse::<Origin>().is_err(), "{text}");
    }
}
