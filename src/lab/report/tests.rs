//! What holds for whole documents: they are well-formed, need nothing but themselves, and stand
//! whatever they are given.

use super::*;

const HOSTILE: &str = "</script></style></title><b>&\"'--> \u{1b}[2J\u{0}\u{ffff} é";

const SCALES: [Scale; 3] = [Scale::Linear, Scale::Log, Scale::Percentile];

#[test]
fn a_name_cannot_break_out_of_its_place() {
    let html = html(&full(HOSTILE));
    let parsed = parse(html.strip_prefix("<!doctype html>\n").unwrap());
    assert!(!parsed.elements.iter().any(|name| name == "b" || name == "script"));
    let shown = HOSTILE.replace(['\u{1b}', '\u{0}', '\u{ffff}'], "\u{fffd}");
    for place in ["title", "h1", "p", "h2", "th", "td", "figcaption", "desc", "aria-label"] {
        let found = parsed.texts.iter().any(|(at, text)| at == place && text.contains(&shown));
        assert!(found, "{place}");
    }
    for plot in full(HOSTILE).1 {
        let parsed = parse(&svg(&plot));
        assert!(parsed.texts.iter().any(|(at, text)| at == "title" && *text == shown));
    }
}

#[test]
fn a_page_needs_nothing_but_itself() {
    let html = html(&full("plain"));
    let links = html.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http:", "https:", "src=", "@import", "url(", "<script", "<link", "//"] {
        assert!(!links.contains(outside), "{outside}");
    }
    let parsed = parse(html.strip_prefix("<!doctype html>\n").unwrap());
    for (_, target) in parsed.texts.iter().filter(|(at, _)| at == "href") {
        let id = target.strip_prefix('#').unwrap();
        assert!(parsed.texts.iter().any(|(at, text)| at == "id" && text == id), "{target}");
    }
}

#[test]
fn the_same_values_give_the_same_bytes() {
    assert_eq!(html(&full("same")), html(&full("same")));
}

#[test]
fn a_plot_stands_whatever_its_points() {
    let far = f64::MAX;
    let series: [&[(f64, f64)]; 12] = [
        &[],
        &[(1.0, 2.0)],
        &[(f64::NAN, 1.0), (1.0, f64::NAN)],
        &[(f64::INFINITY, 1.0), (f64::NEG_INFINITY, f64::INFINITY)],
        &[(0.0, 0.0), (0.0, 0.0)],
        &[(5.0, 7.0), (6.0, 7.0), (7.0, 7.0)],
        &[(-5.0, -7.0), (-6.0, -7.0)],
        &[(far, far), (-far, -far)],
        &[(1e300, 1e300), (-1e300, -1e300)],
        &[(1e-320, 1e-320), (2e-320, 0.0)],
        &[(1e15, 1e15), (1e15 + 1.0, 1e15 + 0.25)],
        &[(0.0, 1.0), (50.0, 2.0), (100.0, 1e-7), (101.0, 4.0), (-0.0, 3.0)],
    ];
    for points in series {
        for x in SCALES {
            for y in SCALES {
                assert_stands(points, x, y);
            }
        }
    }
}

fn assert_stands(points: &[(f64, f64)], x: Scale, y: Scale) {
    let lines = vec![line("a", points), line("b", &[]), line("a", &[(1.0, 1.0), (2.0, 3.0)])];
    for series in [Vec::new(), lines[..1].to_vec(), lines] {
        let svg = svg(&plot("odd", x, y, series));
        parse(&svg);
        for odd in ["NaN", "inf", "Infinity"] {
            assert!(!svg.contains(odd), "{odd} with {points:?} on {x:?} and {y:?}: {svg}");
        }
        assert!(svg.len() < 30_000, "{} bytes for {points:?}", svg.len());
    }
}

#[test]
fn a_point_without_a_place_is_left_out() {
    let points = [(1.0, 1.0), (2.0, f64::NAN), (3.0, 0.0), (4.0, 10.0)];
    let svg = svg(&plot("gaps", Scale::Linear, Scale::Log, vec![line("a", &points)]));
    let path = svg.lines().find(|line| line.contains("\"line\"")).unwrap();
    assert_eq!(path.matches('L').count(), 1, "{path}");
}

#[test]
fn nothing_to_show_is_said() {
    assert!(svg(&plot("none", Scale::Log, Scale::Log, Vec::new())).contains("no data"));
    let lost = line("a", &[(0.0, f64::NAN)]);
    assert!(svg(&plot("none", Scale::Linear, Scale::Linear, vec![lost])).contains("no data"));
}

#[test]
fn many_names_have_a_place_each() {
    let points = [(0.0, 1.0), (1.0, 1.0)];
    let series = (0..40).map(|n| line(&format!("backend {n}"), &points)).collect();
    let svg = svg(&plot("crowd", Scale::Linear, Scale::Linear, series));
    let names = svg.lines().filter(|line| line.contains("class=\"name\""));
    let mut heights: Vec<f64> = names
        .map(|line| line.split(" y=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
        .collect();
    heights.sort_by(f64::total_cmp);
    assert_eq!(heights.len(), 40);
    assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= 15.0), "{heights:?}");
    let view = svg.split("viewBox=\"0 0 ").nth(1).unwrap().split(['"', ' ']).nth(1).unwrap();
    assert!(heights[0] > 0.0 && heights[39] < view.parse().unwrap(), "{view}: {heights:?}");
}

#[test]
fn plots_side_by_side_share_axes_and_styles() {
    let one = plot("one", Scale::Linear, Scale::Linear, vec![line("a", &[(0.0, 1.0), (9.0, 9.0)])]);
    let lines = vec![line("b", &[(0.0, 70.0), (9.0, 80.0)]), line("a", &[(1.0, 1.0), (2.0, 2.0)])];
    let two = plot("two", Scale::Linear, Scale::Linear, lines);
    let mut page = Page::new("t", "");
    page.plots("side by side", "", vec![one, two]);
    let html = html(&(page, Vec::new()));
    let parts: Vec<&str> = html.split("<figure>").skip(1).collect();
    let ticks = |part: &str| {
        part.lines().filter(|line| line.contains("tick")).map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(ticks(parts[0]), ticks(parts[1]));
    assert!(ticks(parts[0]).iter().any(|tick| tick.ends_with(">80</text>")), "{html}");
    for part in parts {
        let at = part.find("<title>a</title>").unwrap();
        assert!(part[..at].trim_end().ends_with("<g class=\"tone0 dash0\">"), "{part}");
    }
    assert_eq!(html.matches("<li>").count(), 2, "one legend for both");
}

/// A page with everything on it, and its plots.
fn full(name: &str) -> (Page, Vec<Plot>) {
    let mut table = Table::new([name, name]);
    table.row([name, name]).row(["short"]);
    let curve = [(0.0, 1.0), (50.0, 2.0), (99.0, 30.0), (100.0, 45.5)];
    let plots = vec![
        plot(name, Scale::Percentile, Scale::Log, vec![line(name, &curve), line("b", &curve)]),
        plot(name, Scale::Linear, Scale::Linear, vec![line(name, &curve[..1]), line(name, &[])]),
    ];
    let mut page = Page::new(name, format!("{name}\n\n{name}"));
    page.table(name, name, table).plot(name, name, plots[0].clone());
    page.plot("other", name, plots[1].clone()).plots(name, name, plots.clone());
    page.table("", "", Table::default()).plots("", "", Vec::new());
    (page, plots)
}

fn plot(title: &str, x: Scale, y: Scale, series: Vec<Series>) -> Plot {
    let axis = |scale| Axis { label: format!("{title} (ms)"), scale };
    Plot { title: title.into(), x: axis(x), y: axis(y), series }
}

fn line(name: &str, points: &[(f64, f64)]) -> Series {
    Series { name: name.into(), points: points.to_vec() }
}

fn html((page, _): &(Page, Vec<Plot>)) -> String {
    let mut html = Vec::new();
    page.write_html(&mut html).unwrap();
    String::from_utf8(html).unwrap()
}

fn svg(plot: &Plot) -> String {
    let mut svg = Vec::new();
    plot.write_svg(&mut svg).unwrap();
    String::from_utf8(svg).unwrap()
}

/// What a document holds: its elements' names, and each text with the element or attribute that
/// it stands in.
struct Parsed {
    elements: Vec<String>,
    texts: Vec<(String, String)>,
}

/// Reads XML as far as the report writes it; panics where it is not well-formed.
fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed { elements: Vec::new(), texts: Vec::new() };
    let mut open: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (before, after) = rest.split_at(start);
        match open.last() {
            Some(name) => parsed.texts.push((name.clone(), decoded(before))),
            None => assert_eq!((before.trim(), parsed.elements.len()), ("", 0), "one root"),
        }
        let (tag, behind) = after[1..].split_once('>').unwrap();
        rest = behind;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name}");
        parsed.elements.push(name.into());
        parsed.texts.extend(attributes_of(attributes));
        if !is_empty {
            open.push(name.into());
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "open: {open:?}, then {rest:?}");
    parsed
}

fn attributes_of(mut text: &str) -> Vec<(String, String)> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").unwrap();
        let (value, rest) = rest.split_once('"').unwrap();
        assert!(attributes.iter().all(|(known, _)| known != name), "twice: {name}");
        attributes.push((name.into(), decoded(value)));
        text = rest.strip_prefix(' ').unwrap_or(rest);
    }
    attributes
}

fn decoded(text: &str) -> String {
    let allowed = |char: char| !char.is_control() || char == '\n' || char == '\t';
    assert!(text.chars().all(|char| allowed(char) && char != '\u{ffff}'), "{text:?}");
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'")];
    let plain = named.iter().fold(text.to_owned(), |text, (name, char)| text.replace(name, char));
    assert!(!plain.replace("&amp;", "").contains('&'), "a bare & in {text:?}");
    plain.replace("&amp;", "&")
}
