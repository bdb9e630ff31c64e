//! A form as it was sent: fields by name, some of them more than once.

use crate::api::Problem;
use crate::web::Who;

/// The fields of a form.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads one that was sent by somebody who saw a page of ours.
    ///
    /// # Errors
    /// It lacks the word of the session.
    pub(super) fn of(who: &Who, sent: &[u8]) -> Result<Self, Problem> {
        let form = Self(form_urlencoded::parse(sent).into_owned().collect());
        who.meant(Some(&form.value("word")))?;
        Ok(form)
    }

    /// A field without the blanks around it; empty when it is not there.
    pub(super) fn value(&self, name: &str) -> String {
        self.maybe(name).unwrap_or_default()
    }

    /// The same; none when it says nothing.
    pub(super) fn maybe(&self, name: &str) -> Option<String> {
        let mut fields = self.0.iter();
        let found = fields.find(|(own, _)| own == name);
        let value = found.map(|(_, value)| value.trim().to_owned());
        value.filter(|value| !value.is_empty())
    }

    /// Every field of this name.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let named = self.0.iter().filter(|(own, _)| own == name);
        named.map(|(_, value)| value.clone()).collect()
    }
}
