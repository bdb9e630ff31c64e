//! Paths of files and folders. A relative one counts from the folder of the configuration file.

use std::path::PathBuf;

use toml::de::DeValue;

use crate::form::{Misread, Value, Written, misread, quoted, wrong_type};
use crate::problem::Fault;

impl Value for PathBuf {
    fn form() -> String {
        "a path, relative to the folder of this file, or absolute".to_owned()
    }

    fn read(value: &Written<'_>) -> Result<Self, Vec<Misread>> {
        let DeValue::String(text) = value.get_ref() else {
            return Err(wrong_type(value, &Self::form(), "put it in quotes"));
        };
        if text.is_empty() || text.contains('\0') {
            let what = format!("{} is not a path", quoted(text));
            return Err(misread(value, Fault::new(what, "write a path")));
        }
        Ok(PathBuf::from(text.as_ref()))
    }

    fn show(&self) -> String {
        quoted(&self.display().to_string())
    }
}
