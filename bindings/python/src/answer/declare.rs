//! What all answers have in common.

use pyo3::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How an answer is displayed.
pub(super) trait Shown {
    /// `str(answer)`.
    fn text(&self) -> String {
        self.repr()
    }

    /// `repr(answer)`.
    fn repr(&self) -> String;

    /// The HTML for notebooks.
    fn html(&self) -> String;
}

/// An answer that can be pickled. The pickle holds its fields as JSON.
pub(super) trait Pickled: Serialize + DeserializeOwned {
    /// The name of its class.
    const KIND: &'static str;
}

/// The result of `__reduce__`: a function and its arguments.
pub(super) type Reduced = (Py<PyAny>, (&'static str, String));

pub(super) fn reduce<P: Pickled>(py: Python<'_>, answer: &P) -> PyResult<Reduced> {
    let make = py.import("modeldepot._pickle")?.getattr("answer")?.unbind();
    let fields = serde_json::to_string(answer).map_err(|error| crate::error::internal(py, error.to_string()))?;
    Ok((make, (P::KIND, fields)))
}

/// Declares an answer: an immutable class whose objects can be compared, pickled and displayed. Users see its fields,
/// except those under `hidden`, which only count in comparisons.
///
/// `compare` replaces the comparison of all fields.
macro_rules! answer {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }
        hidden { $($kept:ident: $kind:ty,)* }
    ) => {
        answer!(@class [$(#[$doc])*] $name { $($(#[$attribute])* $field: $type,)* } { $($kept: $kind,)* } {
            fn __eq__(&self, other: &Self) -> bool {
                self == other
            }
        });
    };
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }
        compare { $($compare:tt)* }
    ) => {
        answer!(@class [$(#[$doc])*] $name { $($(#[$attribute])* $field: $type,)* } {} { $($compare)* });
    };
    (
        @class [$(#[$doc:meta])*]
        $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* } { $($kept:ident: $kind:ty,)* }
        { $($compare:tt)* }
    ) => {
        $(#[$doc])*
        #[pyo3::pyclass(frozen, module = "modeldepot")]
        #[derive(Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub(crate) struct $name {
            $($(#[$attribute])* #[pyo3(get)] pub(crate) $field: $type,)*
            $($kept: $kind,)*
        }

        #[pyo3::pymethods]
        impl $name {
            fn __str__(&self) -> String {
                $crate::answer::declare::Shown::text(self)
            }

            fn __repr__(&self) -> String {
                $crate::answer::declare::Shown::repr(self)
            }

            fn _repr_html_(&self) -> String {
                $crate::answer::declare::Shown::html(self)
            }

            fn __reduce__(&self, py: pyo3::Python<'_>) -> pyo3::PyResult<$crate::answer::declare::Reduced> {
                $crate::answer::declare::reduce(py, self)
            }

            $($compare)*
        }

        impl $crate::answer::declare::Pickled for $name {
            const KIND: &'static str = stringify!($name);
        }
    };
}
pub(super) use answer;
