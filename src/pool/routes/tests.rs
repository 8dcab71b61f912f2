//! Whose a request is by host and path, and what nobody gets since it could be read in two ways.

use super::*;

/// Each as `HOST PATH`, `-` is any; the pool of each is its place.
fn routes(listed: &[&str]) -> Routes {
    let part = |text: &str| (text != "-").then(|| text.to_owned());
    let route = |(pool, text): (usize, &&str)| {
        let (host, path) = text.split_once(' ').unwrap();
        Route { host: part(host), path: part(path), pool }
    };
    Routes::new(&listed.iter().enumerate().map(route).collect::<Vec<_>>(), listed.len())
}

fn pool(routes: &Routes, host: &str, target: &str) -> Option<usize> {
    routes.find(host, target).unwrap().map(|end| end.pool)
}

#[test]
fn the_most_specific_host_counts_and_then_the_longest_path() {
    let routes = routes(&[
        "- -",
        "a.test -",
        "*.test -",
        "*.b.test -",
        "a.test /api",
        "a.test /api/v2",
        "- /api",
    ]);
    for (host, target, expected) in [
        ("a.test", "/", 1),
        ("a.test", "/api", 4),
        ("a.test", "/api/", 4),
        ("a.test", "/api?x=/api/v2", 4),
        ("a.test", "/apix", 1),
        ("a.test", "/api/v2", 5),
        ("a.test", "/api/v2/x/y", 5),
        ("a.test", "/api/v20", 4),
        ("a.test", "*", 1),
        ("c.test", "/api", 2),
        ("x.b.test", "/", 3),
        ("y.x.b.test", "/", 3),
        ("b.test", "/", 2),
        ("test", "/", 0),
        ("test", "/api/x", 6),
        ("xa.test", "/", 2),
        ("", "/api", 6),
        ("", "?x", 0),
        ("192.0.2.1", "/x", 0),
    ] {
        assert_eq!(pool(&routes, host, target), Some(expected), "{host} {target}");
    }
}

#[test]
fn a_host_is_the_same_with_a_port_a_dot_at_its_end_and_in_capitals() {
    let routes = routes(&["a.test -", "*.b.test -", "[::1] -", "192.0.2.1 -"]);
    for (host, expected) in [
        ("A.Test", Some(0)),
        ("a.test:8080", Some(0)),
        ("a.test.", Some(0)),
        ("a.TEST.:80", Some(0)),
        ("a.test:", Some(0)),
        ("x.b.test.:1", Some(1)),
        (".b.test", Some(1)),
        ("b.test", None),
        ("[::1]:80", Some(2)),
        ("192.0.2.1:80", Some(3)),
        ("a.test..", None),
        ("a.test.evil", None),
        ("", None),
    ] {
        assert_eq!(pool(&routes, host, "/"), expected, "{host}");
    }
    let long = "x".repeat(300) + ".b.test";
    assert_eq!(pool(&routes, &long, "/"), Some(1), "it ends so, however long it is");
}

#[test]
fn a_path_without_a_route_of_its_host_goes_by_those_of_others() {
    let routes = routes(&["a.test /own", "*.test /wild", "- /any"]);
    let at = |target| pool(&routes, "a.test", target);
    assert_eq!([at("/own"), at("/wild"), at("/any/x")], [Some(0), Some(1), Some(2)]);
    assert_eq!([at("/"), at("/other"), at("*")], [None; 3]);
}

/// Each could be taken for something below another pool's path by an application.
#[test]
fn what_can_be_read_as_another_pools_path_goes_to_nobody() {
    let routes = routes(&["- -", "- /api", "- /admin"]);
    for target in [
        "/api/../admin",
        "/api/..",
        "/x/../api",
        "/./api",
        "/.//api",
        "//api",
        "///api/x",
        "/x//../api",
        "/api/%2e%2e/admin",
        "/api/%2E./admin",
        "/api/.%2e/admin/x?y",
        "/%61pi",
        "/api%2fx",
        "/api%2Fx",
        "/%2fapi",
        "/x/..%2fapi",
        "/x%5c..%5capi",
        "/api;x=1",
        "/x;/../api",
        "/x/..;/api",
        "/%2561pi",
        "/api/%252e%252e/admin",
        "/api/../admin/%2e%2e/api",
        "/admin%2f..%2fapi",
        "/api/x/../../admin",
        "/api%00x",
        "/api%3bx/",
        "/;%2fx/admin%2fx",
        "/%3b%5cx/admin",
        "/%253b%5cx%2fadmin",
        "/.%3b%5ca%252fadmin",
        "/;%2fx/admin%252f",
        "/./admin%252f..",
        "/admin%3f",
        "/admin%253fx",
        "/admin%23x",
        "/api/..%3f/admin",
        "/api..",
        "/admin.",
        "/admin%20/x",
        "/api/x%2fy/%2e%2e/%2e%2e/admin",
        "/api/x%5Cy/%2e%2e/%2e%2e/admin",
        "/api/x%252fy/%252e%252e/%252e%252e/admin",
        "/api/x%2Fy/..;/..;/%61dmin",
        "/api/..%20/admin",
        "/api/..%09/admin",
    ] {
        assert_eq!(routes.find("a", target), Err(Ambiguous), "{target}");
    }
}

#[test]
fn blanks_and_what_cannot_be_seen_are_cut_off_and_lost_by_some() {
    let routes = routes(&["- -", "- /api", "- /admin"]);
    for target in [
        "/admin%0a",
        "/admin%0A/x",
        "/admin%0d",
        "/admin%0b",
        "/admin%0c",
        "/admin%1f",
        "/admin%7f",
        "/admin%c2%a0",
        "/admin%e3%80%80/x",
        "/admin%ef%bb%bf",
        "/admin.%0a",
        "/%20admin",
        "/%0aadmin/x",
        "/%00admin",
        "/%c2%a0admin%0d%0a",
        "/adm%0Ain",
        "/%09/admin",
        "/api/.%0d./admin",
        "/admin%250a",
        "/%2520admin",
        "/api/%20../admin",
        "/api/%0a..%0d/admin",
    ] {
        assert_eq!(routes.find("a", target), Err(Ambiguous), "{target}");
    }
}

#[test]
fn where_a_host_has_one_pool_for_all_paths_none_is_too_odd() {
    let listed = ["- -", "- /api", "a.test -", "*.b.test /x", "*.test -", "x.c.test /c"];
    let routes = routes(&listed);
    let odd = "/a;b//c./%2e/d%2fe";
    assert_eq!(readings(odd), None);
    assert_eq!(pool(&routes, "a.test", odd), Some(2));
    assert_eq!(pool(&routes, "y.test", odd), Some(4), "the routes of any host are not asked");
    for host in ["b", "y.b.test", "x.c.test"] {
        assert_eq!(routes.find(host, odd), Err(Ambiguous), "{host}");
    }
}

#[test]
fn a_host_without_a_route_for_all_paths_falls_back_to_another_pool_or_to_none() {
    let alone = routes(&["a.test /x", "b.test -"]);
    let odd = "/y/../x";
    assert_eq!(alone.find("a.test", odd), Err(Ambiguous), "it is nobody's to some");
    assert_eq!(alone.find("c.test", odd), Ok(None));
    let one = |pool| Route { host: Some("a.test".into()), path: Some("/x".into()), pool };
    let rest = Route { pool: 0, ..Route::default() };
    let same = Routes::new(&[one(0), rest.clone()], 2);
    assert_eq!(same.find("a.test", odd).map(|end| end.unwrap().pool), Ok(0));
    let other = Routes::new(&[one(1), rest], 2);
    assert_eq!(other.find("a.test", odd), Err(Ambiguous));
}

#[test]
fn what_leads_to_one_pool_however_it_is_read_goes_there() {
    let routes = routes(&["- -", "- /api", "a.test -"]);
    for (host, target, expected) in [
        ("a", "/api/a%2fb", 1),
        ("a", "/api/x/../y", 1),
        ("a", "/api//x", 1),
        ("a", "/api/x;y=1", 1),
        ("a", "/api/.hidden", 1),
        ("a", "/api/..x", 1),
        ("a", "/files/a%20b/c;v=1//d", 0),
        ("a", "/files/what%3f/is.this.", 0),
        ("a", "/100%", 0),
        ("a", "/%zz/%e9%ff", 0),
        ("a", "/%20files/%0a", 0),
        ("a", "/api/%0ax%0d/y%c2%a0", 1),
        ("a", "/x?q=/../api/%2e%2e//", 0),
        ("a.test", "//api/../..", 2),
    ] {
        assert_eq!(pool(&routes, host, target), Some(expected), "{host} {target}");
    }
}

#[test]
fn a_path_that_would_take_long_to_read_goes_to_nobody() {
    let routes = routes(&["- -", "- /api"]);
    let long = |piece: &str| "/".to_owned() + &piece.repeat(8000 / piece.len());
    assert_eq!(routes.find("a", &long("//.;%255c%253b.")), Err(Ambiguous));
    for honest in ["%20", "a%2fb/", "a;b=1/", "x/../y/", "%e4%b8%96%e7%95%8c/"] {
        assert_eq!(pool(&routes, "a", &long(honest)), Some(0), "{honest}");
    }
}

#[test]
fn one_pool_needs_no_route_and_several_do() {
    let nowhere = Routes::new(&[], 2);
    assert_eq!(nowhere.find("a", "/"), Ok(None));
    let only = Routes::new(&[], 1);
    let end = RouteEnd { route: None, pool: 0 };
    assert_eq!(only.find("a", "/x/../%2e%2e//"), Ok(Some(end)));
}

#[test]
fn of_two_that_are_alike_the_first_counts() {
    let routes = routes(&["a -", "a -"]);
    assert_eq!(pool(&routes, "a", "/"), Some(0));
    assert_eq!(Routes::default().find("a", "/"), Ok(None));
}
