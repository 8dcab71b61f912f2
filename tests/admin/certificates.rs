//! What the metrics say of certificates that are shown.

use crate::harness::{Certs, Keyed, Leaf, Vacant};
use crate::metrics::metrics;
use crate::panel::Panel;

#[test]
fn a_certificate_is_there_once_and_a_renewed_one_takes_its_place() {
    let (certs, vacant) = (Certs::make(), [Vacant::new(), Vacant::new()]);
    let renew = |days| {
        certs.leaf_of("shown", &Leaf { names: "DNS:a.test", days: (0, days), ..Leaf::default() })
    };
    let (file, key) = renew(30);
    let keys = format!("tls = true\ntls_certificate = {file:?}\ntls_key = {key:?}");
    let places = [0, 1].map(|it| Keyed(&vacant[it], &keys));
    let panel = Panel::over(&[&places[0], &places[1]]);
    panel.proxy.no_farewell();
    let days_left = || {
        let shown = metrics(&panel);
        let labels = [("file", file.to_str().unwrap()), ("names", "a.test")];
        let expires = shown.value("evenly_tls_certificate_expiry_timestamp_seconds", &labels);
        let all = shown.values("evenly_tls_certificate_expiry_timestamp_seconds", &[]);
        assert_eq!(all, [expires], "one file, and one series");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        ((expires - now.as_secs_f64()) / 86400.0).round()
    };
    assert_eq!(days_left(), 30.0);
    renew(90);
    panel.proxy.hup();
    assert_eq!(days_left(), 90.0);
}
