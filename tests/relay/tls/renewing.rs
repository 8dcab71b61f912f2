//! Certificates whose files are replaced while Evenly runs, by a look now and then, or by a reload.

use crate::harness::{
    Backend, Certs, Hosted, Keyed, Leaf, Pem, Place, Proxy, has_own_names, names, probe, showing,
};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const OFTEN: &str = "tls.watch = \"100ms\"\n";

/// The name in the certificate that a new client is shown, as openssl prints it.
fn shown(proxy: &Proxy, certs: &Certs) -> String {
    let request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
    let text = probe(proxy.address, certs, &["-servername", "localhost"], request);
    assert!(text.contains("200 OK"), "{text}");
    let line = text.lines().find(|line| line.starts_with("subject=")).unwrap();
    line.rsplit('=').next().unwrap().trim().to_owned()
}

/// A certificate for localhost whose subject has this name.
fn made(certs: &Certs, name: &str) -> Pem {
    certs.leaf_of(name, &Leaf::default())
}

fn copy((certificate, key): &Pem, to: &Pem) {
    // As a whole each, and the key first.
    for (from, to) in [(key, &to.1), (certificate, &to.0)] {
        let next = to.with_extension("next");
        fs::copy(from, &next).unwrap();
        fs::rename(next, to).unwrap();
    }
}

fn pair(folder: &Path) -> Pem {
    (folder.join("site.pem"), folder.join("site.key"))
}

#[test]
fn a_mounted_secret_that_changes_by_its_link_is_shown_to_new_clients_while_old_ones_go_on() {
    let (certs, backend) = (Certs::make(), Backend::plain());
    let folders = ["one", "two"].map(|name| certs.dir().join(format!("{name}.d")));
    for (folder, name) in folders.iter().zip(["one", "two"]) {
        fs::create_dir(folder).unwrap();
        copy(&made(&certs, name), &pair(folder));
    }
    let link = certs.dir().join("live");
    symlink(&folders[0], &link).unwrap();
    let proxy = Proxy::showing(&certs, &[&pair(&link)], &[&backend], OFTEN);
    let mut inside = proxy.connect();
    assert_eq!((inside.get("/").status(), shown(&proxy, &certs)), (200, "one".to_owned()));
    symlink(&folders[1], certs.dir().join("next")).unwrap();
    fs::rename(certs.dir().join("next"), &link).unwrap();
    let line = proxy.process.said.wait("renewed: certificate ");
    assert!(line.contains(" INFO ") && line.contains("site.pem: for localhost; expires on"));
    assert_eq!((inside.get("/").status(), shown(&proxy, &certs)), (200, "two".to_owned()));
}

#[test]
fn a_pair_that_is_half_written_or_broken_keeps_the_old_one_and_is_told_once() {
    let (certs, backend) = (Certs::make(), Backend::plain());
    let [one, two, other] = ["one", "two", "other"].map(|name| made(&certs, name));
    let old = Leaf { days: (-20, -10), ..Leaf::default() };
    let expired = certs.leaf_of("expired", &old);
    let live = pair(certs.dir());
    copy(&one, &live);
    let second = (certs.dir().join("second.pem"), certs.dir().join("second.key"));
    copy(&other, &second);
    let proxy = Proxy::showing(&certs, &[&live, &second], &[&backend], OFTEN);
    let said = |what: &str| proxy.said(what);
    // Another pair that is renewed shows that it was looked.
    let mut renewals = 0;
    let mut look = || {
        renewals += 1;
        copy(&made(&certs, &format!("other{renewals}")), &second);
        proxy.process.said.wait_nth("second.pem: for localhost", renewals);
    };
    let steps: [(&dyn Fn(), &str); 4] = [
        (
            &|| fs::write(&live.0, fs::read(&two.0).unwrap()).unwrap(),
            "site.key: is not the key of the first certificate",
        ),
        (&|| fs::write(&live.0, "-----BEGIN CERTIFICATE-----\nMII").unwrap(), "not valid PEM"),
        (&|| fs::remove_file(&live.0).unwrap(), "cannot be read"),
        (&|| copy(&expired, &live), "expired on"),
    ];
    for (step, (change, why)) in steps.iter().enumerate() {
        change();
        let line = proxy.process.said.wait("not renewed, the one before goes on: ");
        assert!(line.contains(" WARN "), "{line}");
        proxy.process.said.wait(why);
        look();
        look();
        assert_eq!(said(why), 1, "{why}");
        assert!(said("not renewed") > step);
        assert_eq!(shown(&proxy, &certs), "one", "{why}");
    }
    copy(&two, &live);
    proxy.process.said.wait("site.pem: for localhost");
    assert_eq!(shown(&proxy, &certs), "two");
}

#[test]
fn a_broken_pair_is_no_news_because_a_name_leads_elsewhere() {
    let test = "tls::renewing::a_broken_pair_is_no_news_because_a_name_leads_elsewhere";
    if !has_own_names(test) {
        return;
    }
    let backend = Backend::at("127.0.0.3:0").unwrap();
    let _other = Backend::at(&format!("127.0.0.4:{}", backend.port())).unwrap();
    names("127.0.0.3 app.internal");
    let certs = Certs::make();
    let (live, second) =
        (pair(certs.dir()), (certs.dir().join("second.pem"), certs.dir().join("second.key")));
    copy(&made(&certs, "one"), &live);
    copy(&made(&certs, "two"), &second);
    let settings = format!("{OFTEN}health.resolve_interval = \"200ms\"");
    let places: [&dyn Place; 1] = [&Hosted(&backend, "app.internal")];
    let proxy = Proxy::showing(&certs, &[&live, &second], &places, &settings);
    fs::remove_file(&live.0).unwrap();
    proxy.process.said.wait("not renewed, the one before goes on: ");
    names("127.0.0.3 app.internal\n127.0.0.4 app.internal");
    proxy.process.said.wait("app.internal leads to 127.0.0.4 now");
    // Another pair that is renewed shows that it was looked.
    copy(&made(&certs, "three"), &second);
    proxy.process.said.wait("second.pem: for localhost");
    assert_eq!(proxy.said("not renewed"), 1);
}

#[test]
fn a_pair_that_is_not_valid_yet_is_shown_as_soon_as_it_is() {
    let (certs, backend) = (Certs::make(), Backend::plain());
    let live = pair(certs.dir());
    copy(&made(&certs, "one"), &live);
    let proxy = Proxy::showing(&certs, &[&live], &[&backend], OFTEN);
    let soon = certs.leaf_of("soon", &Leaf { later_s: 8, ..Leaf::default() });
    copy(&soon, &live);
    proxy.process.said.wait("is not valid before");
    assert_eq!(shown(&proxy, &certs), "one");
    proxy.process.said.wait("renewed: certificate ");
    assert_eq!(shown(&proxy, &certs), "soon");
    // While the new key lay beside the old certificate that may have been told, too.
    assert_eq!(proxy.said("is not valid before"), 1);
}

#[test]
fn a_reload_reads_them_again_though_the_file_is_the_same_and_refuses_what_will_not_do() {
    let (certs, backend) = (Certs::make(), Backend::plain());
    let [one, two] = ["one", "two"].map(|name| made(&certs, name));
    let live = pair(certs.dir());
    copy(&one, &live);
    let proxy = Proxy::showing(&certs, &[&live], &[&backend], "tls.watch = \"off\"\n");
    proxy.pardon("not reloaded");
    fs::copy(&two.0, &live.0).unwrap();
    let line = proxy.hup();
    assert!(line.contains("not reloaded") && line.contains("is not the key"), "{line}");
    assert_eq!(shown(&proxy, &certs), "one");
    fs::copy(&two.1, &live.1).unwrap();
    let line = proxy.hup();
    assert!(line.contains("reloaded: certificate ") && line.contains("expires on"), "{line}");
    assert_eq!(shown(&proxy, &certs), "two");
    assert!(proxy.hup().ends_with("nothing changes"));
}

/// Whoever is trusted anew is met anew: a connection that was made under the old trust is not used.
#[test]
fn authorities_that_are_replaced_make_connections_anew() {
    let (certs, others) = (Certs::make(), Certs::make());
    let backend = showing(&certs.leaf("localhost"));
    let authorities: PathBuf = certs.dir().join("authorities.pem");
    fs::copy(&certs.ca, &authorities).unwrap();
    let keys = format!("tls = true\ntls_ca = {authorities:?}\ntls_name = \"localhost\"\n");
    let place = Keyed(&backend, &keys);
    // With two, one may take the next request before the other has put the connection by.
    let settings = format!("{OFTEN}timeouts.upstream_keep_alive = \"1h\"\nserver.workers = 1\n");
    let proxy = Proxy::with(&[&place], &settings);
    proxy.farewell(502);
    for _ in 0..2 {
        assert_eq!((proxy.get("/").status(), backend.visits()), (200, 1));
    }
    let both = [&certs, &others].map(|one| fs::read_to_string(&one.ca).unwrap()).concat();
    fs::write(&authorities, both).unwrap();
    let line = proxy.process.said.wait("renewed: application A: ");
    assert!(line.contains("its connections are made anew"), "{line}");
    assert_eq!((proxy.get("/").status(), backend.visits()), (200, 2));
    fs::copy(&others.ca, &authorities).unwrap();
    proxy.process.said.wait_nth("renewed: application A: ", 2);
    assert_eq!(proxy.get("/").status(), 502, "it is trusted no more");
}
