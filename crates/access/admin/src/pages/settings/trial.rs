//! What a text would come to, and taking it.

use askama::Template;
use axum::extract::{RawForm, State};
use axum::response::Response;
use ground_directory::operator::Right;

use crate::api::Problem;
use crate::pages::directory::done;
use crate::pages::form::Form;
use crate::pages::frame::{Frame, Tab, Visitor};
use crate::pages::time::number;
use crate::pages::{Refusal, html, one};
use crate::web::{Web, Who};
use crate::{Question, Trial};

#[derive(Template)]
#[template(path = "settings_trial.html")]
struct Page {
    frame: Frame,
    trial: Trial,
    recipients: String,
    text: String,
    version: String,
}

/// The page that shows what `text`, made from the file of `version`, would come to.
pub(super) async fn page(
    web: Web,
    who: Who,
    text: String,
    version: String,
) -> Result<Response, Refusal> {
    let question = Question::SettingsTry {
        text: Some(text.clone()),
    };
    let trial: Trial = one(&web, &who, question).await?;
    Ok(html(&Page {
        frame: Frame::around(&web, who, Tab::Settings).await,
        recipients: number(trial.recipients),
        trial,
        text,
        version,
    }))
}

/// The text of a form, with the version it was made from.
fn written(who: &Who, form: &[u8]) -> Result<(String, String, Form), Problem> {
    let form = Form::of(who, form)?;
    who.may(Right::Administer)?;
    // Not trimmed: it is a file.
    let text = form.all("text").pop().unwrap_or_default();
    Ok((text, form.value("version"), form))
}

pub(in crate::pages) async fn try_text(
    State(web): State<Web>,
    Visitor(who): Visitor,
    RawForm(form): RawForm,
) -> Result<Response, Refusal> {
    let (text, version, _) = written(&who, &form)?;
    page(web, who, text, version).await
}

pub(in crate::pages) async fn save(
    State(web): State<Web>,
    Visitor(who): Visitor,
    RawForm(form): RawForm,
) -> Result<Response, Refusal> {
    let (text, version, form) = written(&who, &form)?;
    let question = Question::SettingsSave {
        text,
        version,
        reason: form.value("reason"),
    };
    done(&web, &who, question, "/settings").await
}
