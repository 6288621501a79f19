//! Serves a folder until it is killed: `serve FOLDER PORT [ignore-conditions]`.
//!
//! For looking at the server with any S3 client, and for the tests that kill it. The credentials are
//! `minioadmin`/`minioadmin`, the bucket is `models`.

use std::io::Write as _;

use modeldepot_embedded::{Config, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(port)) = (args.next(), args.next()) else {
        return Err("usage: serve FOLDER PORT [ignore-conditions]".into());
    };
    let server = Server::start(Config {
        listen: ([127, 0, 0, 1], port.parse()?).into(),
        buckets: vec!["models".into()],
        ignore_conditions: args.next().as_deref() == Some("ignore-conditions"),
        ..Config::new(folder, "minioadmin", "minioadmin")
    })
    .await?;
    writeln!(std::io::stdout(), "{}", server.endpoint())?;
    std::future::pending::<()>().await;
    Ok(())
}
