//! Other services, which are recognized.

use super::{at, run, shown};
use crate::environment::TestEnv;
use crate::peers;

#[test]
fn other_services_are_named() {
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nServer: MinIO Console\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>MinIO Console</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is MinIO's console
    hint: the S3 API is on another port, often 9000: set S3_ENDPOINT to it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("400 Bad Request\r\nServer: MinIO\r\nx-amz-request-id: 1\r\nContent-Type: application/xml", "<Error><Code>InvalidArgument</Code><Message>S3 API Requests must be made to API port.</Message></Error>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is MinIO's console
    hint: the S3 API is on another port, often 9000: set S3_ENDPOINT to it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: SeaweedFS Filer 30GB 3.80\r\nContent-Type: application/json", "{}")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is SeaweedFS's filer
    hint: the S3 API is on another port, often 8333 (`weed s3`, or `weed server -s3`): set S3_ENDPOINT to it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: SeaweedFS 30GB 3.80\r\nContent-Type: application/json", "{\"error\":\"x\"}")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is SeaweedFS's master
    hint: the S3 API is on another port, often 8333 (`weed s3`, or `weed server -s3`): set S3_ENDPOINT to it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("400 Bad Request\r\nServer: SeaweedFS Volume 30GB 3.80", "")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is a volume server of SeaweedFS
    hint: the S3 API is on another port, often 8333 (`weed s3`, or `weed server -s3`): set S3_ENDPOINT to it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: Ceph-Dashboard\r\nContent-Type: application/json", "{\"detail\": \"not found\"}")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is Ceph's dashboard
    hint: the object gateway is on another port, often 7480 or 80: set S3_ENDPOINT to it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nContent-Type: application/json", "{\"error\": \"no such route\"}")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 404 with JSON
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    let prometheus = peers::web(|line| match line.starts_with("GET / ") {
        true => ("302 Found\r\nLocation: /query".to_owned(), String::new()),
        false => ("404 Not Found\r\nContent-Type: text/plain".to_owned(), "404 page not found\n".to_owned()),
    });
    insta::assert_snapshot!(at(&prometheus), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is Prometheus
    hint: another service is on that port: set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: AmazonS3\r\nx-amz-request-id: 1\r\nx-amz-error-code: NoSuchKey\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is the web site of a bucket
    hint: a web site's endpoint only reads pages: leave S3_ENDPOINT empty, and set S3_REGION to the bucket's region
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("400 Bad Request\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>400 No required SSL certificate was sent</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is a server that requires a client certificate
    hint: modeldepot cannot present a client certificate: use an address of the server that does not require one
    [exit status: 2]
    ");
}

/// The console that `up` itself documents is recognized.
#[cfg(unix)]
#[test]
fn the_console_of_up_is_named() {
    let env = TestEnv::without_server("");
    let (_up, _, console) = crate::keys::Up::start(&env, &[]);
    insta::assert_snapshot!(run(&console, &[]), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is modeldepot's own console and REST API
    hint: set S3_ENDPOINT to the S3 server that it uses; that of `modeldepot up` is on port 9000
    [exit status: 2]
    ");
    let env = TestEnv::without_server(&console);
    env.write("m.bin", "weights");
    insta::assert_snapshot!(shown(&env.run(["push", "m", "m.bin"])), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is modeldepot's own console and REST API
    hint: set S3_ENDPOINT to the S3 server that it uses; that of `modeldepot up` is on port 9000
    [exit status: 2]
    ");
}

/// All of SeaweedFS's servers send `X-Amz-Request-Id`.
#[test]
fn the_other_servers_of_seaweedfs_are_named() {
    let id = "X-Amz-Request-Id: 18EBBA941E8F41B707EA57A2";
    let mut all = String::new();
    for (head, body) in [
        (
            format!("404 Not Found\r\nContent-Type: application/json\r\n{id}"),
            "{\"error\":\"volume id models not found: unknown volume id models\"}",
        ),
        (format!("400 Bad Request\r\nServer: SeaweedFS Volume 8000GB 4.48\r\n{id}"), ""),
        (
            format!("200 OK\r\nServer: SeaweedFS 8000GB 4.48\r\n{id}\r\nContent-Type: text/html; charset=utf-8"),
            "<!DOCTYPE html>\n<html>\n<head>\n    <title>SeaweedFS Filer 8000GB 4.48 pypi</title>",
        ),
    ] {
        let peer = peers::http(&head, body);
        all += &format!("{}\n", at(&peer));
        let init = TestEnv::without_server(&peer.url("http")).run(["init"]);
        assert!(init.code == Some(2) && init.stderr.contains("is not an S3 API"), "{init}");
    }
    insta::assert_snapshot!(all, @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 404 with JSON
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is a volume server of SeaweedFS
    hint: the S3 API is on another port, often 8333 (`weed s3`, or `weed server -s3`): set S3_ENDPOINT to it
    [exit status: 2]
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is SeaweedFS's filer
    hint: the S3 API is on another port, often 8333 (`weed s3`, or `weed server -s3`): set S3_ENDPOINT to it
    [exit status: 2]
    ");
}

#[test]
fn another_service_than_http() {
    insta::assert_snapshot!(at(&peers::says(b"SSH-2.0-OpenSSH_9.6\r\n", true)), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is an SSH server (`SSH-2.0-OpenSSH_9.6`)
    hint: another service is on that port: set S3_ENDPOINT to the S3 server's own address
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::says(b"220 mail.example.com ESMTP Postfix\r\n", true)), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is a mail or FTP server (`220 mail.example.com ESMTP Postfix`)
    hint: another service is on that port: set S3_ENDPOINT to the S3 server's own address
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::says(b"-ERR wrong number of arguments for 'get' command\r\n", false)), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is a Redis server (`-ERR wrong number of arguments for 'get' command`)
    hint: another service is on that port: set S3_ENDPOINT to the S3 server's own address
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::says(b"", false)), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: connection closed before message completed
    hint: the port is open but does not answer HTTP: is it the S3 server's, with the right scheme?
    [exit status: 6]
    ");
    insta::assert_snapshot!(at(&peers::says(b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 500\r\n\r\n<ListBucketResult>", false)), @r"
    ------- stderr -------
    error: `$ENDPOINT` failed to list bucket `models`
    caused by: end of file before message length reached
    hint: try again; a push or pull can be repeated safely
    [exit status: 6]
    ");
    insta::assert_snapshot!(run(&peers::says(b"SSH-2.0-OpenSSH_9.6\r\n", true).url("https"), &[]), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is an SSH server (`SSH-2.0-OpenSSH_9.6`)
    hint: another service is on that port: set S3_ENDPOINT to the S3 server's own address
    [exit status: 2]
    ");
}
