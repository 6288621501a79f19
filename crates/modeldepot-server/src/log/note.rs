//! Facts about a request that handlers collect for the logs.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::line::{Access, Audit, json, seconds, shown, time};
use super::{Logs, action, is_refusal};
use crate::auth::Who;
use crate::problem::{Problem, Told};
use crate::remote::Remote;

/// Notes about one request. Cheap to clone; work that outlives the request keeps a clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Note(Arc<Request>);

#[derive(Debug, Default)]
struct Request {
    logs: Logs,
    id: String,
    method: String,
    path: String,
    route: Option<String>,
    remote: Option<String>,
    found: Mutex<Found>,
}

#[derive(Debug, Default, Clone)]
struct Found {
    who: Option<Who>,
    model: Option<String>,
    version: Option<String>,
    bucket: Option<String>,
    keys: Vec<String>,
    /// The result of the work, if recorded.
    ended: Option<Result<(), Told>>,
    /// Whether the request's line has been written.
    written: bool,
}

impl Note {
    pub(crate) fn new(logs: Logs, id: String, parts: &Parts) -> Note {
        let route = parts.extensions.get::<MatchedPath>().map(|route| route.as_str().to_owned());
        let remote = parts.extensions.get::<Remote>().map(|remote| remote.0.to_string());
        let (method, path) = (shown(parts.method.as_str()), shown(parts.uri.path()));
        Note(Arc::new(Request { logs, id, method, path, route, remote, found: Mutex::default() }))
    }

    pub(crate) fn id(&self) -> &str {
        &self.0.id
    }

    fn found<T>(&self, change: impl FnOnce(&mut Found) -> T) -> T {
        change(&mut self.0.found.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn params(&self, params: &RawPathParams) {
        for (name, value) in params.iter() {
            let value = Some(shown(value));
            self.found(|found| match name {
                "model" => found.model = value,
                "version" => found.version = value,
                "bucket" => found.bucket = value,
                _ => {}
            });
        }
    }

    /// Records the caller.
    pub(crate) fn who(&self, who: &Who) {
        self.found(|found| found.who = Some(who.clone()));
    }

    /// Records the version concerned, if the path does not name it.
    pub(crate) fn version(&self, model: impl ToString, version: impl ToString) {
        self.found(|found| (found.model, found.version) = (Some(model.to_string()), Some(version.to_string())));
    }

    /// Records the object concerned.
    pub(crate) fn key(&self, key: &str) {
        self.found(|found| found.keys.push(key.to_owned()));
    }

    /// Records the result of the work. If the request has been answered before, this writes a separate line.
    pub(crate) fn ended(&self, how: Result<(), &Problem>) {
        let how = how.map_err(Told::of);
        let late = self.found(|found| {
            found.ended = Some(how);
            found.written.then(|| found.clone())
        });
        if let Some(found) = late {
            self.audit(found, None, None, true);
        }
    }

    /// Writes the request's line of the audit log, if it gets one.
    pub(crate) fn answered(&self, status: StatusCode, told: Option<&Told>) {
        let found = self.written();
        self.audit(found, Some(status), told, false);
    }

    /// Marks the request's line as written.
    fn written(&self) -> Found {
        self.found(|found| {
            found.written = true;
            found.clone()
        })
    }

    fn audit(&self, found: Found, status: Option<StatusCode>, told: Option<&Told>, late: bool) {
        let Some(log) = &self.0.logs.audit else { return };
        // Also by the recorded problem: visitors who must log in first are redirected to the login page, and a layer
        // outside may have replaced the answer.
        let refused = status.is_some_and(is_refusal) || told.is_some_and(|told| is_refusal(told.status));
        let route = self.0.route.as_deref();
        let method = self.0.method.parse().unwrap_or_default();
        let action = action(&method, route.unwrap_or("unknown"));
        if action.is_none() && !refused {
            return;
        }
        let told = told.or_else(|| found.ended.as_ref()?.as_ref().err());
        let failed = told.is_some() || status.is_some_and(|it| it.is_client_error() || it.is_server_error());
        let result = match status {
            _ if refused => "refused",
            _ if failed => "failed",
            None if !late && found.ended.is_none() => "unanswered",
            _ => "done",
        };
        let line = Audit {
            time: time(),
            log: "audit",
            request: &self.0.id,
            who: found.who.as_ref().and_then(Who::name).map(shown),
            by: found.who.as_ref().and_then(Who::kind),
            subject: found.who.as_ref().and_then(Who::subject).map(shown),
            remote: self.0.remote.clone(),
            action: action.as_deref().unwrap_or("read"),
            method: &self.0.method,
            route,
            model: found.model,
            version: found.version,
            bucket: found.bucket,
            keys: found.keys,
            result,
            status: status.map(|status| status.as_u16()),
            problem: told.map(|told| told.kind),
            detail: told.map(|told| shown(&told.detail)),
            late,
        };
        line.lines().iter().for_each(|line| log.line(line));
    }

    /// Writes the request's line of the access log.
    pub(crate) fn access(&self, status: Option<StatusCode>, bytes: u64, began: Instant, complete: bool) {
        let Some(log) = &self.0.logs.access else { return };
        let who = self.found(|found| found.who.clone());
        let line = Access {
            time: time(),
            log: "access",
            request: &self.0.id,
            who: who.as_ref().and_then(Who::name).map(shown),
            by: who.as_ref().and_then(Who::kind),
            remote: self.0.remote.clone(),
            method: &self.0.method,
            path: self.0.path.clone(),
            status: status.map(|status| status.as_u16()),
            bytes,
            seconds: seconds(began.elapsed()),
            complete,
        };
        log.line(&json(&line));
    }
}

impl<S: Sync> FromRequestParts<S> for Note {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Note, Infallible> {
        Ok(parts.extensions.get::<Note>().cloned().unwrap_or_default())
    }
}

/// Writes the lines of a request whose client disconnects before the answer; its handler is dropped then.
pub(crate) struct Unanswered(Option<(Note, Instant)>);

impl Unanswered {
    pub(crate) fn new(note: Note, began: Instant) -> Unanswered {
        Unanswered(Some((note, began)))
    }

    pub(crate) fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some((note, began)) = self.0.take() {
            let found = note.written();
            note.audit(found, None, None, false);
            note.access(None, 0, began, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use modeldepot::ErrorKind;

    use super::*;
    use crate::log::{Log, LogTarget};

    /// The status that a layer outside answered with does not decide alone.
    #[test]
    fn a_refusal_is_one_whatever_the_status_became() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let log = Log::open(&LogTarget::File(path.clone())).unwrap();
        let refused = Told::of(&Problem::new(ErrorKind::Denied, "no"));
        let absent = Told::of(&Problem::new(ErrorKind::NotFound, "none"));
        for (status, told) in
            [(406, Some(&refused)), (303, Some(&refused)), (401, None), (406, Some(&absent)), (200, None)]
        {
            let logs = Logs { audit: Some(log.clone()), access: None };
            let note = Note::new(logs, status.to_string(), &Request::get("/x").body(()).unwrap().into_parts().0);
            note.answered(StatusCode::from_u16(status).unwrap(), told);
        }
        log.flush(std::time::Duration::from_secs(60));
        let lines = std::fs::read_to_string(path).unwrap();
        let results: Vec<_> =
            lines.lines().map(|line| line.split("\"request\":\"").nth(1).unwrap()[..3].to_owned()).collect();
        assert_eq!(results, ["406", "303", "401"], "{lines}");
        assert!(lines.lines().all(|line| line.contains("\"result\":\"refused\"")), "{lines}");
    }
}
