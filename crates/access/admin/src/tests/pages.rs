//! Pages: whatever strangers write stays text, and nothing of others is loaded.

use super::*;

async fn house() -> (House, As) {
    let house = House::open().await;
    house.operator("jo", "view,act,content,administer").await;
    let who = house.log_in("jo").await;
    (house, who)
}

/// Whether no tag and no attribute came from outside of the templates.
fn is_text(page: &str) -> bool {
    !["<script>alert", "<img"]
        .iter()
        .any(|made| page.contains(made))
}

#[tokio::test]
async fn what_strangers_write_stays_text_on_every_page() {
    let (house, who) = house().await;
    let As::Session { word, .. } = &who else {
        panic!("a session");
    };
    let hostile: String = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    let mut pages = Vec::new();
    for path in super::rights::PAGES
        .iter()
        .chain(super::rights::OF_ADMINISTRATORS)
    {
        pages.push((path.to_string(), house.get(&who, path).await.text));
    }
    for path in [
        format!("/settings/section?section={hostile}"),
        format!("/connectors?domain={hostile}"),
        format!("/events?actor={hostile}&of={ID}"),
        format!("/events?kind={hostile}"),
        format!("/tracking?q={hostile}"),
        "/tracking?q=nothing".to_owned(),
        format!("/messages?sender={hostile}"),
        format!("/messages?state={hostile}"),
        format!("/messages/{hostile}"),
        format!("/login?next={hostile}"),
        format!("/status/{hostile}"),
        "/mine/login".to_owned(),
        format!("/{hostile}"),
    ] {
        pages.push((path.clone(), house.get(&who, &path).await.text));
    }
    let preview = format!("verb=reroute&to={hostile}&all=1&query=&word={word}");
    pages.push((
        "preview".to_owned(),
        house.form(&who, "/acts/preview", &preview).await.text,
    ));
    for form in [
        format!("section=connector&title={hostile}&name={hostile}"),
        format!("section=connector&new=1&name={hostile}"),
        format!("text={hostile}&version={hostile}"),
    ] {
        let path = match form.starts_with("text") {
            true => "/settings/try",
            false => "/settings/section",
        };
        let form = format!("{form}&word={word}");
        pages.push((form.clone(), house.form(&who, path, &form).await.text));
    }
    let wrong = format!("name={hostile}&password=x");
    pages.push((
        "login".to_owned(),
        house.form(&As::Nobody, "/login", &wrong).await.text,
    ));
    let wrong = format!("login={hostile}&password=x");
    pages.push((
        "login of an account".to_owned(),
        house.form(&As::Nobody, "/mine/login", &wrong).await.text,
    ));
    for (path, page) in pages {
        let start = page.find("alert(1)").map_or(0, |at| at.saturating_sub(200));
        let around: String = page.chars().skip(start).take(400).collect();
        assert!(is_text(&page), "{path}: {around}");
    }
}

#[tokio::test]
async fn every_answer_keeps_others_out() {
    let (house, who) = house().await;
    for path in [
        "/",
        "/login",
        "/assets/postrider.css",
        "/api/v1/queue",
        "/nothing",
        "/healthz",
        "/status/x",
        "/mine",
        "/mine/login",
    ] {
        let seen = house.get(&who, path).await;
        let policy = seen.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(
            seen.headers[header::X_CONTENT_TYPE_OPTIONS],
            "nosniff",
            "{path}"
        );
        assert!(seen.headers.contains_key(header::CACHE_CONTROL), "{path}");
        assert_eq!(seen.headers[header::REFERRER_POLICY], "no-referrer");
        assert_eq!(seen.headers["x-robots-tag"], "noindex, nofollow");
    }
}

/// What a stranger has sent is saved, never shown by the browser as it likes.
#[tokio::test]
async fn a_messages_source_is_a_download() {
    let (house, who) = house().await;
    let seen = house.get(&who, &format!("/messages/{ID}/source")).await;
    assert_eq!(seen.headers[header::CONTENT_TYPE], "message/rfc822");
    let how = seen.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert_eq!(how, format!("attachment; filename=\"{ID}.eml\""));
}

#[tokio::test]
async fn pages_load_nothing_of_others_and_have_no_script_or_style_inside() {
    let (house, who) = house().await;
    for path in super::rights::PAGES
        .iter()
        .chain(super::rights::OF_ADMINISTRATORS)
    {
        let page = house.get(&who, path).await.text;
        for wrong in [
            "=\"http",
            "='http",
            "=http",
            "url(",
            " style=",
            "<style",
            " onclick",
            "javascript:",
        ] {
            assert!(!page.contains(wrong), "{path} has {wrong}");
        }
        assert_eq!(page.matches("<script").count(), 1, "{path}");
    }
}

#[tokio::test]
async fn a_selection_means_what_was_ticked_or_all_that_match() {
    let (house, who) = house().await;
    let As::Session { word, .. } = &who else {
        panic!("a session");
    };
    let filter_of = |house: &House| {
        let asked = house.asked.lock().unwrap();
        let mut asked = asked.iter().rev();
        let preview = asked.find(|request| matches!(request.question, Question::Preview { .. }));
        let Some(Question::Preview { filter }) = preview.map(|request| &request.question) else {
            panic!("a preview was asked for");
        };
        filter.to_string()
    };
    let ticked = format!("verb=hold&recipient={ID}&query=state%3Dheld&word={word}");
    assert_eq!(
        house.form(&who, "/acts/preview", &ticked).await.status,
        StatusCode::OK
    );
    assert_eq!(filter_of(&house), ID);
    let all = format!("verb=hold&recipient={ID}&all=1&query=state%3Dheld&word={word}");
    assert_eq!(
        house.form(&who, "/acts/preview", &all).await.status,
        StatusCode::OK
    );
    assert_eq!(filter_of(&house), "--state held");
    // Nothing ticked is nobody, not everybody.
    let none = format!("verb=hold&query=&word={word}");
    let seen = house.form(&who, "/acts/preview", &none).await;
    assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{}", seen.text);
}

/// A first visit in full: page, style and script together.
#[tokio::test]
async fn the_first_page_is_small() {
    let (house, who) = house().await;
    let mut octets = 0;
    for path in ["/", "/assets/postrider.css", "/assets/postrider.js"] {
        octets += house.get(&who, path).await.text.len();
    }
    assert!(octets < 60_000, "{octets}");
}

#[tokio::test]
async fn a_form_of_settings_writes_what_was_changed_and_nothing_else() {
    let (house, who) = house().await;
    let As::Session { word, .. } = &who else {
        panic!("a session");
    };
    let form = format!(
        "section=queue&was.lifetime=4d&lifetime=2d&was.lease=60s&lease=60s&was.retry=1m&retry=&word={word}"
    );
    let seen = house.form(&who, "/settings/section", &form).await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.text);
    assert!(
        seen.text.contains("This would re-route 312 recipients"),
        "{}",
        seen.text
    );
    let asked = house.asked.lock().unwrap().clone();
    let tried = asked.iter().find_map(|request| {
        let Question::SettingsTry { text } = &request.question else {
            return None;
        };
        text.clone()
    });
    let expected = format!("greeting = '''{HOSTILE}'''\n\n[queue]\nlifetime = \"2d\"\n");
    assert_eq!(tried.as_deref(), Some(expected.as_str()));
    // Nothing was saved by looking.
    let saved = asked
        .iter()
        .any(|one| matches!(one.question, Question::SettingsSave { .. }));
    assert!(!saved);
}

#[tokio::test]
async fn each_shelf_shows_its_own_messages_whatever_the_address_says() {
    let (house, who) = house().await;
    for (path, means) in [
        ("/held", "--state held"),
        ("/held?state=queued", "--state held"),
        ("/damaged", "--state held --reason-contains \"damaged: \""),
        ("/dead-letters", "--state dead_letter"),
    ] {
        assert_eq!(house.get(&who, path).await.status, StatusCode::OK, "{path}");
        let asked = house.asked.lock().unwrap();
        let mut asked = asked.iter().rev();
        let listed = asked.find_map(|request| {
            let Question::List { filter } = &request.question else {
                return None;
            };
            Some(filter.clone())
        });
        let filter = path_ledger::Filter {
            limit: None,
            ..listed.unwrap()
        };
        assert_eq!(filter.to_string(), means, "{path}");
    }
}
