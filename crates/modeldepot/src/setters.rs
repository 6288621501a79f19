//! Setters for structs that will get more fields.

/// Generates consuming setters, one for each named field, with the field's name.
///
/// The word before a field says what its setter takes: `value` the field's type, `into` anything that converts into it,
/// `some` the value of an `Option`, `some_into` anything that converts into that value, and `all` the elements of a
/// `Vec`. The fields are public, so that a caller with an `Option` can assign it directly.
macro_rules! setters {
    ($type:ident { $($kind:ident $field:ident: $of:ty),* $(,)? }) => {
        impl $type {
            $(setters!(@$kind $type $field $of);)*
        }
    };
    (@value $type:ident $field:ident $of:ty) => {
        setters!(@write $type $field ($of) ($field));
    };
    (@into $type:ident $field:ident $of:ty) => {
        setters!(@write $type $field (impl Into<$of>) ($field.into()));
    };
    (@some $type:ident $field:ident $of:ty) => {
        setters!(@write $type $field ($of) (Some($field)));
    };
    (@some_into $type:ident $field:ident $of:ty) => {
        setters!(@write $type $field (impl Into<$of>) (Some($field.into())));
    };
    (@all $type:ident $field:ident $of:ty) => {
        setters!(@write $type $field (impl IntoIterator<Item = impl Into<$of>>) ($field.into_iter().map(Into::into).collect()));
    };
    (@write $type:ident $field:ident ($takes:ty) ($value:expr)) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](field@", stringify!($type), "::", stringify!($field), ").")]
        #[must_use]
        pub fn $field(mut self, $field: $takes) -> Self {
            self.$field = $value;
            self
        }
    };
}

pub(crate) use setters;
