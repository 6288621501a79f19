//! The rules for names, as patterns in the OpenAPI document.

use utoipa::Modify;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, Required};

/// The patterns, as implemented by `modeldepot`'s types.
const MODEL: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$";
pub(super) const VERSION: &str = "^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$";
const PATH: &str = concat!(
    r"^(?![Mm][Aa][Nn][Ii][Ff][Ee][Ss][Tt]\.[Jj][Ss][Oo][Nn][. ]*(/|$))",
    r"(?!\.[Mm][Oo][Dd][Ee][Ll][Dd][Ee][Pp][Oo][Tt])(?!\.{1,2}(/|$))",
    r"[^/\\\u0000-\u001f\u007f-\u009f\ufffe\uffff]{1,255}",
    r"(/(?!\.{1,2}(/|$))[^/\\\u0000-\u001f\u007f-\u009f\ufffe\uffff]{1,255})*$"
);

/// Adds the pattern of each name, wherever it occurs in the document.
pub(super) struct Names;

impl Modify for Names {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let rule = |name: &str| match name {
            "model" => Some(MODEL),
            "version" => Some(VERSION),
            "path" | "file" | "main" | "history" => Some(PATH),
            _ => None,
        };
        let text = |pattern: &str| {
            let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).min_length(Some(1));
            if pattern == PATH { text.max_length(Some(512)) } else { text }
        };
        for item in api.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
            for parameter in operations.into_iter().flatten().flat_map(|one| one.parameters.iter_mut().flatten()) {
                let RefOr::T(parameter) = parameter else { continue };
                // A required list, which the derive does not mark as such.
                if parameter.name == "version" {
                    parameter.required = Required::True;
                }
                let several = matches!(parameter.schema, Some(RefOr::T(Schema::Array(_))));
                if let Some(pattern) = rule(&parameter.name).filter(|_| !several) {
                    parameter.schema = Some(text(pattern).into());
                }
            }
        }
        let asked = ["UploadRequest", "FileRequest", "PartsRequest", "VersionForm"];
        for (asked_as, schema) in api
            .components
            .iter_mut()
            .flat_map(|all| &mut all.schemas)
            .filter(|(name, _)| asked.contains(&name.as_str()))
        {
            let RefOr::T(Schema::Object(schema)) = schema else { continue };
            for (name, property) in &mut schema.properties {
                match (property, rule(name)) {
                    (RefOr::T(Schema::Object(property)), Some(pattern)) => {
                        // Browsers send empty fields.
                        let form = asked_as == "VersionForm";
                        property.pattern = Some(if form { format!("^$|{pattern}") } else { pattern.to_owned() });
                    }
                    // Part numbers start at 1.
                    (RefOr::T(Schema::Array(property)), _) if name == "parts" => {
                        let part = ObjectBuilder::new().schema_type(Type::Integer);
                        let part = part.minimum(Some(1)).maximum(Some(10_000));
                        property.items = utoipa::openapi::schema::ArrayItems::RefOrSchema(Box::new(part.into()));
                    }
                    _ => {}
                }
            }
        }
    }
}
