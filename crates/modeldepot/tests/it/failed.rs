//! What a push that fails leaves: all that helps to continue after a failure that may pass, and nothing after another.

use modeldepot::{ErrorKind, ModelStorage, Progress};

use crate::backend::{Backend, bytes, push};
use crate::misbehaving::{Act, Misbehaving};

const PART: usize = 8 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_kept_only_for_a_push_that_may_be_repeated() {
    for (status, code, kind) in [(403, "AccessDenied", ErrorKind::Denied), (503, "SlowDown", ErrorKind::Unavailable)] {
        let b = Backend::embedded().await;
        let play = move |asked: &crate::misbehaving::Asked| match asked.is("POST", "uploadId=") {
            true => Act::refuse(status, code),
            false => Act::Pass,
        };
        let server = Misbehaving::before(b.settings.endpoint.as_ref().unwrap().as_str(), play).await;
        let mut settings = b.settings.clone().endpoint(server.endpoint().parse().unwrap());
        settings.timeouts.answer = std::time::Duration::from_millis(400);
        let file = b.file("m.bin", &bytes(PART + 5, 1));
        let request = || push("m", Some("1"), &file, &[]).state_folder(b.path("state"));
        let storage = ModelStorage::open(&settings).await.unwrap();
        let error = storage.push(request(), &Progress::none()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        let uploads = b.client().list_multipart_uploads(b.bucket(), "m/v1/").await.unwrap().len();
        // The state of a push is kept for the same endpoint.
        let states = std::fs::read_dir(b.path("state")).unwrap().count();
        let kept = usize::from(kind == ErrorKind::Unavailable);
        assert_eq!((uploads, states), (kept, kept), "{code}");
        assert!(b.storage.versions(&"m".parse().unwrap()).await.is_err(), "nothing was published");
    }
}
