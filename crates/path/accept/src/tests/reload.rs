//! Listeners follow the settings: whole, or not at all.

use super::*;
use crate::StartError;

impl House {
    /// Reloads with these listeners alone.
    async fn listens(&mut self, listeners: &[(&str, &str)]) -> Result<crate::Change, StartError> {
        let section = |(name, address): &(&str, &str)| {
            format!("[[listener]]\nname = {name:?}\nprotocol = \"smtp\"\naddress = {address:?}\n")
        };
        let text: String = listeners.iter().map(section).collect();
        let new = Settings::parse(&format!("hostname = \"mx.here.test\"\n{text}")).unwrap();
        let sender = &self.settings;
        let publish = || {
            sender.send_replace(Arc::new(new.clone()));
        };
        self.server.reload(&new, publish).await
    }
}

fn names(places: &[(String, ground_settings::Endpoint)]) -> Vec<&str> {
    places.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_reload_tells_which_listeners_it_opened_and_closed() {
    let mut house = house().await;
    house
        .listens(&[("mx", MX), ("side", INSIDE)])
        .await
        .unwrap();
    let change = house
        .listens(&[("mx", MX), ("new", "127.0.0.1:2525")])
        .await
        .unwrap();
    assert_eq!(names(&change.opened), ["new"]);
    assert_eq!(names(&change.closed), ["side"]);
    house.client("127.0.0.1:2525").await;
    assert_eq!(names(&house.server.addresses()), ["mx", "new"]);
}

#[tokio::test(start_paused = true)]
async fn listeners_that_cannot_be_had_are_all_named_and_change_nothing() {
    let mut house = house().await;
    let taken = ["192.0.2.1:25", "192.0.2.2:25"].map(|address| address.parse().unwrap());
    let mut others = Vec::new();
    for address in taken {
        let listening = house.world.net.listen(address, Default::default());
        others.push(listening.await.unwrap());
    }
    let wanted = [
        ("mx", "127.0.0.1:2525"),
        ("one", "192.0.2.1:25"),
        ("two", "192.0.2.2:25"),
    ];
    let before = house.settings.borrow().clone();
    let addresses = house.server.addresses();
    let told = house.listens(&wanted).await.unwrap_err().to_string();
    assert!(
        told.contains("the listener one cannot listen on 192.0.2.1:25: "),
        "{told}"
    );
    assert!(
        told.contains("the listener two cannot listen on 192.0.2.2:25: "),
        "{told}"
    );
    assert!(Arc::ptr_eq(&before, &house.settings.borrow()), "published");
    assert_eq!(house.server.addresses(), addresses);
    house.client(MX).await;
    let nobody = house
        .world
        .net
        .connect("127.0.0.1:2525".parse().unwrap(), ConnectOptions::default());
    assert!(nobody.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn listeners_can_change_places() {
    let mut house = house().await;
    house
        .listens(&[("one", MX), ("two", INSIDE)])
        .await
        .unwrap();
    house
        .listens(&[("two", MX), ("one", INSIDE)])
        .await
        .unwrap();
    for (at, listener) in [(MX, "two"), (INSIDE, "one")] {
        let mut client = house.greeted(at).await;
        client.mails(&["jo@here.test"], "x: y\r\n\r\n").await;
        let newest = "SELECT listener FROM message ORDER BY id DESC LIMIT 1";
        let rows = house.rows(newest).await;
        assert_eq!(rows[0].text(0).unwrap(), listener);
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_moved_and_then_goes_takes_its_first_sessions_along() {
    let mut house = house().await;
    house.listens(&[("one", MX)]).await.unwrap();
    let mut first = house.greeted(MX).await;
    house.listens(&[("one", INSIDE)]).await.unwrap();
    first.says("NOOP", "250 ").await;
    house.listens(&[("other", INSIDE)]).await.unwrap();
    assert_eq!(
        first.hear().await,
        "421 4.3.2 This listener is closed; come again"
    );
}
