//! What depends on the S3 server, on MinIO.

use crate::place::Place;
use crate::uploads;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs MinIO: run by `cargo xtask test`"]
async fn minio_begin_parts_complete() {
    let endpoint = std::env::var("MODELDEPOT_TEST_MINIO").expect("MODELDEPOT_TEST_MINIO names the endpoint");
    uploads::three_steps(Place::at(&endpoint, tempfile::tempdir().unwrap(), |_| {}).await).await;
}
