//! The reader agrees with serde_json, on what it reads and on what it refuses.

use serde_json::Value;

use super::Json;

fn read(text: &str) -> Option<Value> {
    let mut json = Json::new(text);
    let value = json.value().ok()?;
    json.is_at_end().then_some(value)
}

/// Reads as serde_json does: the same value, or none where that has none.
fn assert_same(text: &str) {
    assert_eq!(read(text), serde_json::from_str(text).ok(), "{text}");
}

#[test]
fn reads_what_serde_json_reads() {
    let scalars = "null true false 0 -0 7 -7 10 18446744073709551615 18446744073709551616 -9223372036854775808 \
         -9223372036854775809 0.5 -0.5 1.25e3 1E3 1e-3 1e+3 0.1 0.30000000000000004 123456789012345678.5 1e22 5e-324 \
         1.7976931348623157e308 1e400 -1e400 01 -01 00 - -- +1 .5 1. 1.e3 1e 1e+ 0x1 1a nul nulll tru f NaN Infinity \
         -0.0 0.040000003 -0.012345678";
    for text in scalars.split_whitespace() {
        assert_same(text);
        assert_same(&format!(" [ {text} , {text} ] "));
    }
}

#[test]
fn reads_numbers_of_any_length() {
    for length in 1..24 {
        for digits in ["1234567890123456789012345", "9999999999999999999999999", "1000000000000000000000000"] {
            let (whole, rest) = digits.split_at(length);
            match whole.parse::<u64>() {
                Ok(number) => assert_eq!(read(whole), Some(Value::from(number))),
                Err(_) => assert_eq!(read(whole), whole.parse::<f64>().ok().map(Value::from)),
            }
            for foreign in ["/", ":", "a", "\u{f9}", " "] {
                assert_eq!(read(&format!("{whole}{foreign}{rest}")), None);
                assert_same(&format!("[{whole}{foreign}"));
            }
            for foreign in ["/", ":", "?", "a"] {
                assert_eq!(read(&format!("0.{whole}{foreign}{rest}")), None);
            }
            let fraction = format!("0.{whole}");
            assert_eq!(read(&fraction), fraction.parse::<f64>().ok().map(Value::from), "{fraction}");
        }
    }
}

#[test]
fn a_sign_among_eight_digits_is_no_digit() {
    for at in 0..8 {
        for foreign in ["/", ":", "?", "a", "\u{b}"] {
            let mut digits = "12345678".to_owned();
            digits.replace_range(at..=at, foreign);
            assert_same(&format!("0.{digits}"));
            assert_same(&format!("[0.{digits}]"));
        }
    }
}

#[test]
fn reads_the_nearest_float() {
    for text in ["9007199254740993.0", "0.1e1", "123456789.123456789e-7", "2.2250738585072011e-308"] {
        assert_eq!(read(text), text.parse::<f64>().ok().map(Value::from), "{text}");
    }
}

#[test]
fn reads_strings_as_serde_json_does() {
    let long = "plain text ".repeat(30);
    let parts = [
        "",
        "a",
        "ab\\n",
        "\\\"",
        "\\\\",
        "\\/\\b\\f\\r\\t",
        "é",
        "日本語",
        "\\u00e9",
        "\\u0000",
        "\\uD83C\\uDF0D",
        "\\ud800",
        "\\ud800x",
        "\\ud800\\u0041",
        "\\udc00",
        "\\ud83d\\ue000",
        "\\ud83d\\udbff",
        "\\u12",
        "\\u12g4",
        "\\x",
        "\\",
        "\u{1}",
        "\n",
        "\u{7f}",
        &long,
    ];
    for part in parts {
        for prefix in ["", "1234567", "1234567\\n", &long[..63], &long[..95]] {
            assert_same(&format!("\"{prefix}{part}\""));
            assert_same(&format!("\"{prefix}{part}"));
            assert_same(&format!("{{\"{prefix}{part}\":\"{part}{prefix}\"}}"));
        }
    }
}

#[test]
fn refuses_what_serde_json_refuses() {
    let broken = r#"{ } [ ] {} [] {,} [,] [1,] {"a":1,} {"a"} {"a":} {"a":1 {"a" 1} {a:1} {1:1} [1 [1}{ {} {}, [1][1] {"a":1,,"b":2} {,"a":1} ]"#;
    for text in broken.split_whitespace().chain(["", " ", "[1 2]", "{\"a\":1 \"b\":2}", "\u{feff}1", "[]]"]) {
        assert_same(text);
    }
    for depth in [126, 127, 128, 129] {
        assert_same(&("[".repeat(depth) + &"]".repeat(depth)));
        assert_same(&("{\"a\":".repeat(depth) + "1" + &"}".repeat(depth)));
    }
}

/// Bytes of real replies, each replaced in turn: a broken reply is refused by both or read alike by both.
#[test]
fn agrees_with_serde_json_on_damaged_replies() {
    let reply = r#"{"id":"c-1","created":1763712000,"choices":[{"index":0,"delta":{"content":" Köln\n","x":[-1.5e3,null,true]},"finish_reason":null}],"usage":{}}"#;
    for at in 0..reply.len() {
        for byte in b"\" \\,:{}[]0-.eunt\n\xc3".iter() {
            let mut damaged = reply.as_bytes().to_vec();
            damaged[at] = *byte;
            if let Ok(text) = std::str::from_utf8(&damaged) {
                assert_same(text);
            }
        }
        if let Some(start) = reply.get(..at) {
            assert_same(start);
        }
    }
}

#[test]
fn many_may_stand_side_by_side() {
    assert_same(&format!("[{}[]]", "{\"a\":[1]},".repeat(300)));
}

#[test]
fn a_tag_is_looked_up_without_reading() {
    for (text, tag) in [
        (r#"{"a":[{"type":"in"}],"b":{"type":"in"},"type":"out\n"}"#, "out\n"),
        (r#"{"type":"a","type":"b"}"#, "b"),
        (r#"{"type":"a","type":{}}"#, ""),
        (r#"{"b":1.5,"c":null,"d":true}"#, ""),
    ] {
        let json = Json::new(text);
        assert_eq!(json.tag("type").unwrap(), tag, "{text}");
        assert_eq!(json.clone().value().ok(), serde_json::from_str(text).ok());
    }
    assert!(Json::new(r#"{"type":"a","b":}"#).tag("type").is_err());
}
