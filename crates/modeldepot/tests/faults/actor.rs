//! One process among several: it does what the plan says, and checks the results against the ledger.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use modeldepot::advice::Advice;
use modeldepot::{
    Error, ErrorKind, Manifest, ModelStorage, Progress, Published, Pull, Push, Result, Scan, Selector, Source,
};
use tokio::time::timeout;

use crate::ledger::{Name, chain};
use crate::plan::{Act, MODELS, Wanted};
use crate::world::{World, files_in};

/// A push that can be repeated unchanged.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) model: &'static str,
    pub(crate) version: Option<String>,
    pub(crate) content: usize,
    pub(crate) second: i64,
    /// The machine that has its resume state.
    pub(crate) machine: usize,
}

impl Wish {
    /// A late push of a deleted version.
    pub(crate) fn late(name: &Name) -> Self {
        let model = MODELS.into_iter().find(|model| *model == name.model).unwrap();
        Self { model, version: Some(name.version.to_string()), content: 1, second: 0, machine: 99 }
    }

    /// Whether nobody else pushes under the same name or in the same second.
    pub(crate) fn is_own(&self) -> bool {
        self.second >= 1000 || self.version.as_ref().is_some_and(|version| version.starts_with("own-"))
    }

    pub(crate) fn text(&self) -> String {
        let version = self.version.clone().unwrap_or_else(|| format!("second {}", self.second));
        format!("push of content {} to {}@{version}", self.content, self.model)
    }

    pub(crate) fn request(&self, world: &World) -> Push {
        let source = Source::scan(&Scan::new(world.source(self.content)).main("m.bin")).unwrap();
        let created = time::macros::datetime!(2025-10-28 18:18:58 UTC) + Duration::from_secs(self.second as u64);
        let mut push = Push::new(self.model.parse().unwrap(), source)
            .metadata(serde_json::from_value(serde_json::json!({"content": self.content})).unwrap())
            .created(created)
            .tool(format!("machine {}", self.machine))
            .state_folder(world.path(&format!("journal-{}", self.machine)));
        push.version = self.version.as_ref().map(|version| version.parse().unwrap());
        push
    }
}

pub(crate) struct Actor {
    pub(crate) world: Arc<World>,
    index: usize,
    storage: ModelStorage,
    /// Pushes without a result.
    unfinished: Vec<Wish>,
    pulls: usize,
}

/// What is known before a request.
struct Before {
    owed: BTreeSet<Name>,
    deleted: BTreeSet<Name>,
}

impl Actor {
    pub(crate) async fn begin(world: Arc<World>, index: usize) -> Self {
        let storage = world.open().await.unwrap();
        Self { world, index, storage, unfinished: Vec::new(), pulls: 0 }
    }

    /// Does everything in the plan. Returns the pushes without a result.
    pub(crate) async fn run(mut self, acts: Vec<Act>, done: impl Fn()) -> Vec<Wish> {
        for act in acts {
            match act {
                Act::Push { model, version, content, second, cut } => {
                    let wish = Wish { model, version, content, second, machine: self.index };
                    self.push_and_repeat(wish, cut).await;
                }
                Act::Pull { model, version, cut } => self.pull(model, &version, cut).await,
                Act::Verify { model, version } => self.verify(model, &version).await,
                Act::List { model } => self.list(model).await,
                Act::Delete { model, version, cut } => self.delete(model, &version, cut).await,
                Act::Collect => self.collect().await,
            }
            done();
        }
        self.unfinished
    }

    fn log(&self, line: impl std::fmt::Display) {
        self.world.ledger.log(format!("actor {}: {line}", self.index));
    }

    fn before(&self) -> Before {
        let book = self.world.ledger.book();
        Before { owed: book.owed(), deleted: book.deleted.clone() }
    }

    /// Runs work and kills it after a while: it stops wherever it is, and its result is lost. From then on the actor is
    /// a new process.
    async fn cut<T: Send + 'static>(
        &mut self,
        cut: Option<Duration>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let mut task = tokio::spawn(work);
        let Some(after) = cut else { return Some(task.await.unwrap()) };
        if let Ok(done) = timeout(after, &mut task).await {
            return Some(done.unwrap());
        }
        task.abort();
        let _ = task.await;
        self.storage = self.world.open().await.unwrap();
        None
    }

    async fn push_and_repeat(&mut self, wish: Wish, cut: Option<Duration>) {
        if self.push(&wish, cut).await.is_none() && self.push(&wish, None).await.is_none() {
            self.unfinished.push(wish);
        }
    }

    /// Returns `None` when the push ended without a result and should be repeated.
    async fn push(&mut self, wish: &Wish, cut: Option<Duration>) -> Option<()> {
        let before = self.before();
        self.world.ledger.book().tried.insert((wish.model.to_owned(), wish.version.clone(), wish.content));
        let (storage, request) = (self.storage.clone(), wish.request(&self.world));
        self.log(format_args!("{} begins, cut {cut:?}", wish.text()));
        let pushed = self.cut(cut, async move { storage.push(request, &Progress::none()).await }).await;
        let Some(pushed) = pushed else {
            self.log(format_args!("{} was cut off", wish.text()));
            return None;
        };
        judge_push(&self.world, wish, pushed, &before.deleted)
    }

    fn resolve(&self, model: &str, version: &Wanted) -> Selector {
        let acknowledged = self.world.ledger.book().acknowledged_of(model);
        let version = match version {
            Wanted::Named(version) => Some(version.parse().unwrap()),
            Wanted::Acknowledged(n) if !acknowledged.is_empty() => Some(acknowledged[n % acknowledged.len()].clone()),
            Wanted::Latest | Wanted::Acknowledged(_) => None,
        };
        let mut selector = Selector::new(model.parse().unwrap());
        selector.version = version;
        selector
    }

    /// Pulls into a folder of its own, and again into the same one if that ends without a result.
    async fn pull(&mut self, model: &str, version: &Wanted, cut: Option<Duration>) {
        let selector = self.resolve(model, version);
        self.pulls += 1;
        let folder = self.world.path(&format!("pull-{}-{}", self.index, self.pulls));
        if self.pull_once(&selector, &folder, cut, false).await.is_none() {
            self.pull_once(&selector, &folder, None, cut.is_some()).await;
        }
    }

    async fn pull_once(
        &mut self,
        selector: &Selector,
        folder: &Path,
        cut: Option<Duration>,
        after_cut: bool,
    ) -> Option<()> {
        let before = self.before();
        let pull = Pull::new(selector.clone(), folder);
        let storage = self.storage.clone();
        self.log(format_args!("pull of {selector} begins, cut {cut:?}"));
        match self.cut(cut, async move { storage.pull(&pull, &Progress::none()).await }).await {
            None => {
                self.log(format_args!("pull of {selector} was cut off"));
                None
            }
            Some(Ok(fetched)) => {
                self.log(format_args!("pulled {selector}: {}, kept {}", fetched.manifest.version, fetched.kept));
                self.was_read(&fetched.manifest, Some(folder), &before);
                Some(())
            }
            Some(Err(error)) => {
                let left = files_in(folder);
                // An earlier pull may have been killed in the middle of its renames.
                if !left.is_empty() && !after_cut {
                    self.world.ledger.broken(format!("a failed pull of {selector} left {left:?}"));
                }
                self.could_not_read("pull", selector, &error, &before);
                (error.kind() != ErrorKind::Unavailable).then_some(())
            }
        }
    }

    async fn verify(&self, model: &str, version: &Wanted) {
        let (selector, before) = (self.resolve(model, version), self.before());
        match self.storage.verify(&selector, &Progress::none()).await {
            Ok(verified) => {
                self.log(format_args!("verified {selector}: {}", verified.manifest.version));
                self.was_read(&verified.manifest, None, &before);
            }
            Err(error) => self.could_not_read("verify", &selector, &error, &before),
        }
    }

    fn was_read(&self, manifest: &Manifest, folder: Option<&Path>, before: &Before) {
        let name = Name::new(manifest.model_name.as_str(), &manifest.version);
        if before.deleted.contains(&name) {
            self.world.ledger.broken(format!("{name} was deleted and is read"));
        }
        judge_read(&self.world, manifest, folder, if folder.is_some() { "pulled" } else { "verified" });
    }

    fn could_not_read(&self, verb: &str, selector: &Selector, error: &Error, before: &Before) {
        self.log(format_args!("{verb} of {selector} failed: {}", chain(error)));
        let mut book = self.world.ledger.book();
        let of_model = |name: &&Name| name.model == selector.model.as_str();
        let is_it = |name: &&Name| of_model(name) && selector.version.as_ref().is_none_or(|v| name.version == *v);
        let doomed = book.doomed.iter().any(|name| is_it(&name));
        let owed = before.owed.iter().filter(is_it).any(|name| !book.doomed.contains(name));
        if error.kind() == ErrorKind::NotFound {
            // The latest version may be deleted between listing and reading.
            if owed && !(selector.version.is_none() && doomed) {
                drop(book);
                self.world.ledger.broken(format!("{selector} was acknowledged and is not found by {verb}"));
            }
            return;
        }
        book.excuse(&format!("{verb} of {selector}"), error, false, doomed);
    }

    async fn list(&self, model: &str) {
        let before = self.before();
        let listed = match self.storage.versions(&model.parse().unwrap()).await {
            Ok(listed) => listed.into_iter().map(|summary| Name::new(model, &summary.version)).collect(),
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => {
                self.log(format_args!("list of {model} failed: {}", chain(&error)));
                return self.world.ledger.book().excuse("list", &error, false, false);
            }
        };
        self.log(format_args!("listed {} of {model}", listed.len()));
        let owed = self.world.ledger.book().owed();
        for name in before.deleted.intersection(&listed) {
            self.world.ledger.broken(format!("{name} was deleted and is listed"));
        }
        for name in before.owed.intersection(&owed).filter(|name| name.model == model) {
            if !listed.contains(name) {
                self.world.ledger.broken(format!("{name} was acknowledged and is not listed"));
            }
        }
    }

    async fn delete(&mut self, model: &str, version: &Wanted, cut: Option<Duration>) {
        let Selector { model, version: Some(version), .. } = self.resolve(model, version) else { return };
        let name = Name::new(model.as_str(), &version);
        self.world.ledger.book().doomed.insert(name.clone());
        let storage = self.storage.clone();
        self.log(format_args!("delete of {name} begins, cut {cut:?}"));
        match self.cut(cut, async move { storage.delete(&model, &version).await }).await {
            None => self.log(format_args!("delete of {name} was cut off")),
            Some(Ok(_)) => {
                self.log(format_args!("deleted {name}"));
                self.world.ledger.book().deleted.insert(name);
            }
            Some(Err(error)) => {
                self.log(format_args!("delete of {name} failed: {}", chain(&error)));
                if error.kind() != ErrorKind::NotFound {
                    self.world.ledger.book().excuse(&format!("delete of {name}"), &error, false, true);
                }
            }
        }
    }

    /// Runs gc on everything, however young: live pushes must be spared all the same.
    async fn collect(&self) {
        let collected = async {
            let plan = self.storage.plan_gc(None, time::Duration::ZERO).await?;
            self.storage.gc(&plan).await
        };
        match collected.await {
            Ok(collected) => self.log(format_args!("{collected:?}")),
            Err(error) => {
                self.log(format_args!("gc failed: {}", chain(&error)));
                self.world.ledger.book().excuse("gc", &error, false, false);
            }
        }
    }
}

/// Checks the result of a push against the ledger. Returns `None` when it should be repeated.
pub(crate) fn judge_push(
    world: &World,
    wish: &Wish,
    pushed: Result<Published>,
    deleted: &BTreeSet<Name>,
) -> Option<()> {
    let what = wish.text();
    match pushed {
        Ok(published) => {
            let name = Name::new(wish.model, &published.manifest.version);
            world.ledger.log(format!("machine {}: {what} is acknowledged: {name}", wish.machine));
            if content_of(&published.manifest) != wish.content {
                world.ledger.broken(format!("{what} is acknowledged with another content"));
            }
            if deleted.contains(&name) {
                world.ledger.broken(format!("{name} was deleted and is published again"));
            }
            let mut book = world.ledger.book();
            let twice = wish.version.is_none() && book.acknowledged.contains_key(&name);
            book.acknowledge(name.clone(), wish.content);
            drop(book);
            if twice {
                world.ledger.broken(format!("two automatic pushes are told that they are {name}"));
            }
            Some(())
        }
        Err(error) => {
            world.ledger.log(format!("machine {}: {what} failed: {}", wish.machine, chain(&error)));
            // Only gc may take such a version away: it retires the names of pushes that seem dead.
            if error.kind() == ErrorKind::Conflict
                && wish.is_own()
                && !matches!(error.advice(None), Some(Advice::VersionIsRetired | Advice::WaitForGc))
            {
                world.ledger.broken(format!("nobody else pushes there, but {what} fails: {}", chain(&error)));
            }
            world.ledger.book().excuse(&what, &error, true, false);
            (error.kind() != ErrorKind::Unavailable).then_some(())
        }
    }
}

/// Repeats a push that ended without a result.
pub(crate) async fn repeat(world: &World, storage: &ModelStorage, wish: &Wish) -> Option<()> {
    let deleted = world.ledger.book().deleted.clone();
    let pushed = storage.push(wish.request(world), &Progress::none()).await;
    judge_push(world, wish, pushed, &deleted)
}

/// Checks what was read of a version against what was pushed.
pub(crate) fn judge_read(world: &World, manifest: &Manifest, folder: Option<&Path>, how: &str) {
    let name = Name::new(manifest.model_name.as_str(), &manifest.version);
    let content = content_of(manifest);
    let record = folder.map(|folder| std::fs::read(folder.join("manifest.json")).unwrap_or_default());
    world.ledger.book().see(&name, content, record, how);
    if let Some(wrong) = folder.and_then(|folder| world.differs(folder, content)) {
        world.ledger.broken(format!("{name} is {how} with wrong bytes: {wrong}"));
    }
}

fn content_of(manifest: &Manifest) -> usize {
    let content = manifest.metadata.get("content").and_then(|content| content.as_u64());
    content.and_then(|content| usize::try_from(content).ok()).unwrap_or(usize::MAX)
}
