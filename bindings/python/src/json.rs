//! Converts between plain Python values and JSON.

use modeldepot::Manifest;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};

use crate::error::invalid;

/// Deeper nesting is most likely a cycle.
const DEPTH: usize = 64;

/// Converts a user's metadata.
///
/// # Errors
/// `InvalidError` with the key of a value that is not JSON.
pub(crate) fn metadata(py: Python<'_>, given: Option<&Bound<'_, PyAny>>) -> PyResult<Map<String, Value>> {
    let Some(given) = given else { return Ok(Map::new()) };
    match value(given, &mut vec!["metadata".to_owned()])? {
        Value::Object(object) => Ok(object),
        _ => Err(invalid(
            py,
            format!("`metadata` is of type `{}`, not a dict", type_name(given)),
            "write it as `{\"architecture\": \"resnet18\", …}`",
        )),
    }
}

fn value(given: &Bound<'_, PyAny>, path: &mut Vec<String>) -> PyResult<Value> {
    let py = given.py();
    if path.len() > DEPTH {
        let message = format!("`{}…` is nested deeper than {DEPTH}", path[..3.min(path.len())].concat());
        return Err(invalid(py, message, "metadata is a tree without cycles"));
    }
    if given.is_none() {
        return Ok(Value::Null);
    }
    // Before numbers, because bool is a subclass of int.
    if given.is_instance_of::<PyBool>() {
        return Ok(Value::Bool(given.extract()?));
    }
    if given.is_instance_of::<PyInt>() {
        let number = given.extract::<i64>().map(Number::from).or_else(|_| given.extract::<u64>().map(Number::from));
        return number
            .map(Value::Number)
            .map_err(|_| refused(path, py, "is too large for a number of JSON", "write it as text"));
    }
    if given.is_instance_of::<PyFloat>() {
        let number: f64 = given.extract()?;
        let hint = "JSON has no NaN and no infinity: use None, or leave it out";
        return Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| refused(path, py, &format!("is {number}"), hint));
    }
    if given.is_instance_of::<PyString>() {
        return Ok(Value::String(given.extract()?));
    }
    if let Ok(dict) = given.cast::<PyDict>() {
        let mut object = Map::new();
        for (key, item) in dict {
            let Ok(key) = key.extract::<String>() else {
                let what = format!("has a key of type `{}`", type_name(&key));
                return Err(refused(path, py, &what, "keys are text: use str(…)"));
            };
            path.push(format!("[{key:?}]"));
            let item = value(&item, path)?;
            path.pop();
            object.insert(key, item);
        }
        return Ok(Value::Object(object));
    }
    if given.is_instance_of::<PyList>() || given.is_instance_of::<PyTuple>() {
        let mut array = Vec::new();
        for (index, item) in given.try_iter()?.enumerate() {
            path.push(format!("[{index}]"));
            array.push(value(&item?, path)?);
            path.pop();
        }
        return Ok(Value::Array(array));
    }
    if let Some(scalar) = scalar(given) {
        return value(&scalar, path);
    }
    let hint = match given.hasattr("tolist") {
        Ok(true) => "use .tolist() if it is small, else publish it as a file",
        _ => "convert it to text, numbers, lists and dicts first",
    };
    Err(refused(path, py, &format!("is of type `{}`, which is not JSON", type_name(given)), hint))
}

/// Returns the Python value of a NumPy scalar, or of a zero-dimensional array or tensor.
fn scalar<'py>(given: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let dimensions = given.getattr("shape").ok()?.len().ok()?;
    let item = given.call_method0("item").ok()?;
    // Some types, such as `numpy.longdouble`, return themselves, which would never end.
    (dimensions == 0 && !item.get_type().is(given.get_type())).then_some(item)
}

fn refused(path: &[String], py: Python<'_>, what: &str, hint: &str) -> PyErr {
    invalid(py, format!("`{}` {what}", path.concat()), hint)
}

fn type_name(given: &Bound<'_, PyAny>) -> String {
    given.get_type().fully_qualified_name().map_or_else(|_| "?".to_owned(), |name| name.to_string())
}

/// Converts a JSON value to plain Python.
pub(crate) fn to_python(py: Python<'_>, value: &Value) -> PyResult<Py<PyAny>> {
    Ok(match value {
        Value::Null => py.None(),
        Value::Bool(truth) => PyBool::new(py, *truth).to_owned().into_any().unbind(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any().unbind(),
            (None, Some(number)) => number.into_pyobject(py)?.into_any().unbind(),
            (None, None) => number.as_f64().into_pyobject(py)?.into_any().unbind(),
        },
        Value::String(text) => PyString::new(py, text).into_any().unbind(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any().unbind()
        }
        Value::Object(object) => dict(py, object)?.into_any(),
    })
}

/// Converts a JSON object to a dict.
pub(crate) fn dict(py: Python<'_>, object: &Map<String, Value>) -> PyResult<Py<PyDict>> {
    let dict = PyDict::new(py);
    for (key, item) in object {
        dict.set_item(key, to_python(py, item)?)?;
    }
    Ok(dict.unbind())
}

/// Converts a manifest to a dict, with the content that it has in the bucket.
pub(crate) fn manifest(py: Python<'_>, manifest: &Manifest) -> PyResult<Py<PyAny>> {
    let value = serde_json::to_value(manifest).map_err(|error| crate::error::internal(py, error.to_string()))?;
    to_python(py, &value)
}
