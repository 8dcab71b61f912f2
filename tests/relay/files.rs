//! Two servers that nobody here wrote, nginx and Python's, before a folder of files.

use crate::harness::{Process, Proxy, Scratch, Server, has};
use std::fs;
use std::process::Command;

/// A folder with files of many sizes.
struct Files {
    scratch: Scratch,
    names: Vec<String>,
}

impl Files {
    fn new() -> Self {
        let scratch = Scratch::new();
        let sizes = [0, 1, 100, 4095, 4096, 65_535, 65_536, 300_000, 3_000_000];
        let name = |(number, size): (usize, usize)| {
            let content: Vec<u8> = (0..size).map(|at| (at * 31 + number) as u8).collect();
            scratch.write(&format!("f{size}.bin"), content);
            format!("f{size}.bin")
        };
        let names = sizes.into_iter().enumerate().map(name).collect();
        Self { scratch, names }
    }

    fn content(&self, name: &str) -> Vec<u8> {
        fs::read(self.scratch.path().join(name)).unwrap()
    }
}

fn nginx(files: &Files) -> Server {
    let folder = files.scratch.path();
    let server = format!("root {}; dav_methods PUT DELETE;", folder.display());
    Server::nginx(&files.scratch, "", &server)
}

fn python(files: &Files) -> Server {
    let mut command = Command::new("python3");
    let command = command.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]);
    let process = Process::start(command, files.scratch.path());
    let line = process.printed.wait("Serving HTTP on");
    let mut words = line.split(' ').skip_while(|word| *word != "port");
    let port = words.nth(1).unwrap().parse().unwrap();
    Server::listening(process, port)
}

/// Fetches every file several times and compares.
fn fetch_all(proxy: &Proxy, files: &Files, rounds: usize) {
    let mut client = proxy.connect();
    for _ in 0..rounds {
        for name in &files.names {
            let answer = client.get(&format!("/{name}"));
            assert_eq!(answer.status(), 200, "{name}");
            assert!(answer.body == files.content(name), "{name} came altered");
        }
    }
}

#[test]
fn a_tree_of_files_comes_through_from_nginx() {
    if !has("nginx") {
        return;
    }
    let files = Files::new();
    let nginx = nginx(&files);
    let proxy = Proxy::over(&[&nginx]);
    proxy.farewell(404);
    fetch_all(&proxy, &files, 3);
}

#[test]
fn ranges_conditions_and_head_work_with_nginx() {
    if !has("nginx") {
        return;
    }
    let files = Files::new();
    let nginx = nginx(&files);
    let proxy = Proxy::over(&[&nginx]);
    proxy.farewell(404);
    let mut client = proxy.connect();
    let mut ask = |method: &str, fields: &str| {
        let request = format!("{method} /f300000.bin HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n");
        client.ask(request)
    };
    let whole = files.content("f300000.bin");
    let part = ask("GET", "Range: bytes=100000-200000\r\n");
    assert_eq!(part.status(), 206);
    assert!(part.body == whole[100_000..=200_000]);
    let head = ask("HEAD", "");
    assert_eq!((head.status(), head.field("content-length")), (200, Some("300000")));
    let tag = head.field("etag").unwrap();
    let unchanged = ask("GET", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((unchanged.status(), unchanged.body.len()), (304, 0));
    let parts = ask("GET", "Range: bytes=0-9,20-29\r\n");
    assert_eq!(parts.status(), 206);
    assert!(parts.field("content-type").is_some_and(|kind| kind.starts_with("multipart/")));
}

#[test]
fn uploads_to_nginx_arrive_whole_in_either_framing() {
    if !has("nginx") {
        return;
    }
    let files = Files::new();
    let nginx = nginx(&files);
    let proxy = Proxy::over(&[&nginx]);
    proxy.farewell(404);
    let body = files.content("f3000000.bin");
    let mut client = proxy.connect();
    client.send("PUT /up1 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3000000\r\n\r\n");
    client.send(&body);
    assert_eq!(client.answer_to("PUT").status(), 201);
    client.send("PUT /up2 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in body.chunks(12_345) {
        client.send(format!("{:x}\r\n", piece.len()));
        client.send(piece);
        client.send("\r\n");
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.answer_to("PUT").status(), 201);
    for name in ["up1", "up2"] {
        assert!(files.content(name) == body, "{name} arrived altered");
    }
}

#[test]
fn pythons_file_server_needs_no_health_page_and_no_keep_alive() {
    if !has("python3") {
        return;
    }
    let files = Files::new();
    let python = python(&files);
    let proxy = Proxy::with(&[&python], "health.interval = \"100ms\"");
    proxy.farewell(404);
    proxy.process.said.wait(" WARN ");
    fetch_all(&proxy, &files, 2);
    let listing = proxy.get("/");
    assert!(listing.text().contains("f65536.bin"));
}

#[test]
fn when_one_file_server_dies_the_other_goes_on() {
    if !has("python3") || !has("nginx") {
        return;
    }
    let files = Files::new();
    let (nginx, python) = (nginx(&files), python(&files));
    let proxy = Proxy::with(&[&nginx, &python], "health.interval = \"50ms\"");
    proxy.farewell(404);
    fetch_all(&proxy, &files, 2);
    drop(python);
    fetch_all(&proxy, &files, 2);
    proxy.process.said.wait("-> down");
    fetch_all(&proxy, &files, 1);
}
