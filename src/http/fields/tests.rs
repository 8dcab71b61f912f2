//! Fields: names told apart, in any case and disguise.

use super::*;
use Name::{Dropped, FramingLookalike, Lookalike, Other};

#[test]
fn the_table_is_sorted_by_length_and_each_name_finds_itself() {
    assert!(KNOWN.is_sorted_by_key(|(name, _)| name.len()));
    assert!(KNOWN.iter().all(|(name, _)| name.len() <= LENGTH_MAX));
    for (name, is) in KNOWN {
        assert_eq!(classify(name.as_bytes()), is, "{name}");
        assert_eq!(classify(name.to_ascii_uppercase().as_bytes()), is, "{name}");
    }
}

#[test]
fn ordinary_fields_are_relayed() {
    for name in ["Accept", "User-Agent", "Cookie", "Content-Type", "If-None-Match", "DCLK_imp"] {
        assert_eq!(classify(name.as_bytes()), Other, "{name}");
    }
    for name in ["", "x", "X-Forwarded", "X-Forwarded-", "Content-Length-X", "_onnection"] {
        assert_eq!(classify(name.as_bytes()), Other, "{name}");
    }
    assert_eq!(classify(&[b'a'; 30]), Other);
    assert_eq!(classify(&[b'p'; LENGTH_MAX]), Other);
}

#[test]
fn hop_by_hop_fields_go_no_further() {
    for name in ["Proxy-Connection", "Proxy-Authorization", "Proxy"] {
        assert_eq!(classify(name.as_bytes()), Dropped, "{name}");
    }
}

#[test]
fn what_is_ours_to_say_of_the_origin_is_known_by_name() {
    assert_eq!(classify(b"X-Forwarded-For"), Name::ForwardedFor);
    assert_eq!(classify(b"x-forwarded-proto"), Name::ForwardedProto);
    assert_eq!(classify(b"X-FORWARDED-HOST"), Name::ForwardedHost);
    for name in ["X-Forwarded-Port", "X-Forwarded-Client-Cert", "X-Real-IP", "X_Forwarded_A_B"] {
        assert_eq!(classify(name.as_bytes()), Other, "{name}");
    }
}

#[test]
fn names_in_disguise_are_recognised() {
    for name in ["Content_Length", "content.length", "Transfer_Encoding", "transfer~encoding"] {
        assert_eq!(classify(name.as_bytes()), FramingLookalike, "{name}");
    }
    for name in ["X_Forwarded_For", "X-Forwarded_Proto", "x_request_id", "Keep_Alive"] {
        assert_eq!(classify(name.as_bytes()), Lookalike, "{name}");
    }
    assert_eq!(classify(b"ContentxLength"), Other);
    assert_eq!(classify(b"Content1Length"), Other);
}

#[test]
fn trailers_are_relayed_unless_they_steer_and_refused_if_they_frame() {
    for name in ["X-Checksum", "grpc-status", "Server-Timing", "ETag", "Digest"] {
        assert_eq!(trailer(name.as_bytes()), Trailer::Relayed, "{name}");
    }
    for name in ["Content-Type", "Set-Cookie", "X-Forwarded-For", "Connection", "TE", "Date"] {
        assert_eq!(trailer(name.as_bytes()), Trailer::Dropped, "{name}");
    }
    for name in ["X-Real-IP", "X-Forwarded-Port", "Remote_User", "X-SSL-Client-Cert"] {
        assert_eq!(trailer(name.as_bytes()), Trailer::Dropped, "{name}");
    }
    for name in ["Content-Length", "Transfer-Encoding", "Host", "Authorization", "content_length"] {
        assert_eq!(trailer(name.as_bytes()), Trailer::Refused, "{name}");
    }
}

#[test]
fn a_token_is_one_or_more_of_its_characters() {
    assert!(is_token(b"!#$%&'*+-.^_`|~09azAZ"));
    assert!(!is_token(b""));
    for byte in b"\"(),/:;<=>?@[\\]{} \t\x7f\x80\0" {
        assert!(!is_token(&[b'a', *byte]));
    }
}

#[test]
fn a_mask_holds_as_many_marks_as_there_are_slots() {
    let mut mask = Mask::default();
    for index in [0, 63, 64, crate::http::HEADERS_MAX - 1] {
        assert!(!mask.has(index));
        mask.set(index);
        assert!(mask.has(index) && !mask.has(index ^ 1));
    }
}
