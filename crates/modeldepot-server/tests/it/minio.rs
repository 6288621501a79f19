//! Tests that depend on the S3 server, run on MinIO.

use crate::place::Place;
use crate::uploads;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs MinIO: run by `cargo xtask test`"]
async fn minio_begin_parts_complete() {
    let endpoint = std::env::var("MODELDEPOT_TEST_MINIO").expect("MODELDEPOT_TEST_MINIO names the endpoint");
    // MinIO's last open release obeys an unsigned copy source.
    let change = |config: &mut modeldepot_server::Config| config.unsafe_upload_urls = true;
    uploads::three_steps(Place::at(&endpoint, tempfile::tempdir().unwrap(), change).await).await;
}
