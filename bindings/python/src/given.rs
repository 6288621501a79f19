//! Rejects arguments of the wrong type by name.
//!
//! Each function converts one argument of the verbs and has its name, except where an argument is optional in some
//! verbs and required in others.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::argument::VersionText;

/// A kind of argument: its description, and its conversion.
trait Kind: Sized {
    const EXPECTED: &'static str;

    fn take(given: &Bound<'_, PyAny>) -> Option<Self>;

    /// Describes what was passed instead.
    fn found(given: &Bound<'_, PyAny>) -> String {
        type_name(given)
    }
}

impl Kind for String {
    const EXPECTED: &'static str = "str";

    fn take(given: &Bound<'_, PyAny>) -> Option<Self> {
        given.extract().ok()
    }
}

impl Kind for PathBuf {
    const EXPECTED: &'static str = "str or os.PathLike";

    fn take(given: &Bound<'_, PyAny>) -> Option<Self> {
        given.extract().ok()
    }
}

impl Kind for bool {
    const EXPECTED: &'static str = "bool";

    fn take(given: &Bound<'_, PyAny>) -> Option<Self> {
        given.extract().ok()
    }
}

impl Kind for i64 {
    const EXPECTED: &'static str = "int";

    fn take(given: &Bound<'_, PyAny>) -> Option<Self> {
        given.extract().ok()
    }
}

impl Kind for u64 {
    const EXPECTED: &'static str = "int above 0";

    fn take(given: &Bound<'_, PyAny>) -> Option<Self> {
        given.extract().ok()
    }

    fn found(given: &Bound<'_, PyAny>) -> String {
        match given.extract::<i64>() {
            Ok(number) => number.to_string(),
            Err(_) => type_name(given),
        }
    }
}

impl Kind for VersionText {
    const EXPECTED: &'static str = "str or VersionSummary";

    fn take(given: &Bound<'_, PyAny>) -> Option<Self> {
        given.extract().ok()
    }
}

impl Kind for Vec<String> {
    const EXPECTED: &'static str = "list of str";

    fn take(given: &Bound<'_, PyAny>) -> Option<Self> {
        given.extract().ok()
    }

    fn found(given: &Bound<'_, PyAny>) -> String {
        first_other::<String>(given)
    }
}

impl Kind for Vec<PathBuf> {
    const EXPECTED: &'static str = "list of str or os.PathLike";

    fn take(given: &Bound<'_, PyAny>) -> Option<Self> {
        given.extract().ok()
    }

    fn found(given: &Bound<'_, PyAny>) -> String {
        first_other::<PathBuf>(given)
    }
}

impl Kind for BTreeMap<String, String> {
    const EXPECTED: &'static str = "dict of str to str";

    fn take(given: &Bound<'_, PyAny>) -> Option<Self> {
        given.extract().ok()
    }

    fn found(given: &Bound<'_, PyAny>) -> String {
        match given.call_method0("items").and_then(|items| items.try_iter()) {
            Ok(items) => {
                let pair = |item: &Bound<'_, PyAny>| item.extract::<(String, String)>().is_err();
                let other = items.filter_map(Result::ok).find(pair);
                let names = |other: Bound<'_, PyAny>| {
                    let pair = other.cast_into::<PyTuple>().ok()?;
                    Some(format!("{} to {}", type_name(&pair.get_item(0).ok()?), type_name(&pair.get_item(1).ok()?)))
                };
                let names = other.and_then(names).unwrap_or_else(|| "others".to_owned());
                format!("{} of {names}", type_name(given))
            }
            Err(_) => type_name(given),
        }
    }
}

impl<K: Kind> Kind for Option<K> {
    const EXPECTED: &'static str = K::EXPECTED;

    fn take(given: &Bound<'_, PyAny>) -> Option<Self> {
        if given.is_none() { Some(None) } else { K::take(given).map(Some) }
    }

    fn found(given: &Bound<'_, PyAny>) -> String {
        K::found(given)
    }
}

/// Describes the first element of a list that has the wrong type.
fn first_other<K: Kind>(given: &Bound<'_, PyAny>) -> String {
    let of = type_name(given);
    if given.is_instance_of::<PyString>() {
        return of;
    }
    let other =
        given.try_iter().ok().and_then(|items| items.filter_map(Result::ok).find(|item| K::take(item).is_none()));
    other.map_or(of.clone(), |other| format!("{of} with {}", type_name(&other)))
}

fn type_name(given: &Bound<'_, PyAny>) -> String {
    given.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string())
}

fn take<K: Kind>(name: &str, given: &Bound<'_, PyAny>) -> PyResult<K> {
    K::take(given).ok_or_else(|| {
        PyTypeError::new_err(format!("argument `{name}`: expected {}, got {}", K::EXPECTED, K::found(given)))
    })
}

macro_rules! arguments {
    ($($name:ident: $kind:ty),* $(,)?) => { $(
        pub(crate) fn $name(given: &Bound<'_, PyAny>) -> PyResult<$kind> {
            take(stringify!($name), given)
        }
    )* };
}

arguments! {
    endpoint: Option<String>, access_key: Option<String>, secret_key: Option<String>, region: Option<String>,
    bucket: Option<String>, addressing: Option<String>, ca_bundle: Option<PathBuf>, limit_rate: Option<u64>,
    model_path: PathBuf, model_name: String, version: Option<VersionText>, additional_files: Option<Vec<PathBuf>>,
    history: Option<PathBuf>, main: Option<String>, exclude: Option<Vec<String>>, include_hidden: bool,
    follow_links: bool, file_name: Option<String>, resume: bool, md5: bool, copy: bool, local_dir: Option<PathBuf>,
    sync: bool, force: bool, require_digests: bool, file: Option<String>, expiration: i64, name: String,
    format: Option<String>, allow_pickle: bool, framework: Option<String>, trusted: Option<Vec<String>>,
    file_path: PathBuf, bucket_name: String, object_name: String, metadata: Option<BTreeMap<String, String>>,
    content_type: Option<String>, local_path: PathBuf, put: bool,
    prefix: String, device: String, profile: Option<String>,
}

/// The settings in a pickle that are not arguments, by the names of their variables.
pub(crate) fn pickled(given: &Bound<'_, PyAny>) -> PyResult<Option<BTreeMap<String, String>>> {
    take("_pickled", given)
}

/// The folder of a storage's bucket, unlike the prefix of a listing.
pub(crate) fn folder(given: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    take("prefix", given)
}

/// The version to delete, which is required.
pub(crate) fn exact_version(given: &Bound<'_, PyAny>) -> PyResult<VersionText> {
    take("version", given)
}

/// The key of an upload; by default the file's name.
pub(crate) fn new_object_name(given: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    take("object_name", given)
}
