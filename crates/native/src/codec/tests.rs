//! Tests of how typed records become lines and come back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde::Serialize;

use super::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Visit {
    host: String,
    bytes: u64,
    referrer: Option<String>,
    tags: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Empty,
    Named(String),
    Pair(i32, Option<bool>),
    Sized { width: f64, parts: Vec<(u8, char)> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Word(String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Bare {}

fn line(record: &impl Serialize) -> String {
    let mut line = Vec::new();
    encode(record, &mut line).expect("a line");
    String::from_utf8(line).expect("text")
}

#[track_caller]
fn same<T: Record + PartialEq + std::fmt::Debug>(record: &T) {
    let line = line(record);
    assert!(!line.contains('\n'), "{line:?}");
    let read: T = decode(line.as_bytes()).expect("a record");
    assert_eq!(&read, record, "{line:?}");
}

#[test]
fn lines_are_as_people_would_write_them() {
    let visit = Visit {
        host: "a, b".into(),
        bytes: 7,
        referrer: None,
        tags: vec!["x".into(), "y,z".into()],
    };
    for (written, expected) in [
        (line(&"a line\tas it \\ is"), "a line\tas it \\ is"),
        (line(&Word("w".into())), "w"),
        (line(&("oak", 3)), "oak\t3"),
        (line(&("a\tb\nc\\", 1.0)), "a\\tb\\nc\\\\\t1.0"),
        (line(&((1, "x,"), (0.5, [true]))), "1,x\\c\t0.5,true"),
        (line(&visit), "a, b\t7\t\t2,x,y\\cz"),
        (line(&Shape::Pair(1, None)), "Pair,1,"),
        (line(&(Some(""), None::<u8>)), "\\e\t"),
        (line(&()), ""),
    ] {
        assert_eq!(written, expected);
    }
}

#[test]
fn what_looks_like_nothing_is_told_apart() {
    for option in [None, Some(None), Some(Some(String::new()))] {
        same(&option);
        same(&(option.clone(), 1));
        same(&vec![option.clone(), option]);
    }
    same(&Some(()));
    same(&Some((String::new(), Some(Bare {}))));
    same(&(Bare {}, Bare {}));
    same(&Bare {});
    same(&Vec::<u8>::new());
    same(&Some(Vec::<Option<u8>>::new()));
    same(&(Line(vec![0, 255]), Some(Line::default())));
}

#[test]
fn numbers_are_read_as_they_were() {
    for number in [0.1 + 0.2, 1e300, -0.0, f64::MIN_POSITIVE, f64::INFINITY] {
        same(&number);
        same(&(number as f32, number));
    }
    let read: f64 = decode(line(&f64::NAN).as_bytes()).expect("a number");
    assert!(read.is_nan());
    same(&(i128::MIN, u128::MAX, i64::MIN));
}

#[test]
fn what_is_no_line_is_refused_and_nothing_is_left_of_it() {
    let mut text = b"before".to_vec();
    assert_eq!(encode("a\nb", &mut text), Err(CodecError::EndOfLine));
    let bytes = Line(b"\n".to_vec());
    assert_eq!(encode(&bytes, &mut text), Err(CodecError::EndOfLine));
    #[derive(Serialize)]
    struct Skips {
        first: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        second: Option<u8>,
    }
    let (first, second) = (1, None);
    let told = encode(&Skips { first, second }, &mut text).expect_err("refused");
    assert!(told.to_string().contains("skip_serializing_if"), "{told}");
    assert_eq!(text, b"before");
}

#[test]
fn a_line_of_another_type_says_what_is_wrong() {
    fn wrong<T: Record + std::fmt::Debug>(line: &str) -> String {
        decode::<T>(line.as_bytes())
            .expect_err("of another type")
            .to_string()
    }
    for (told, part) in [
        (wrong::<(String, u8)>("a"), "fewer fields"),
        (wrong::<(String, u8)>("a\t1\t2"), "more fields"),
        (
            wrong::<(String, u8)>("a\t256"),
            "`256` is no whole number from 0 to 255",
        ),
        (wrong::<((u8, u8), u8)>("1\t2"), "fewer values"),
        (wrong::<((u8, u8), u8)>("1,2,3\t2"), "more values"),
        (wrong::<Vec<u64>>("99999999999,1"), "fewer values"),
        (wrong::<(String, u8)>("\\x\t1"), "`\\`"),
        (wrong::<Shape>("Round"), "Round"),
        (wrong::<char>("ab"), "single character"),
        (wrong::<bool>(&"x".repeat(1000)), "xxx..."),
    ] {
        assert!(told.contains(part), "{told}");
        assert!(told.len() < 300, "{told}");
    }
    assert_eq!(decode::<String>(b"\xff"), Err(CodecError::NotUtf8));
    assert_eq!(decode(b"\xff"), Ok(Line(b"\xff".to_vec())));
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Asks {
        _Number(u8),
    }
    assert!(wrong::<Asks>("1").contains("untagged"));
}

fn any_shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Empty),
        "[a,\\\\\t\n]{0,4}".prop_map(Shape::Named),
        (any::<i32>(), any::<Option<bool>>()).prop_map(|(a, b)| Shape::Pair(a, b)),
        (
            -1e9..1e9,
            prop::collection::vec((any::<u8>(), any::<char>()), 0..3)
        )
            .prop_map(|(width, parts)| Shape::Sized { width, parts }),
    ]
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_again(
        key in "\\PC{0,4}|[,\\\\\t\n]{0,4}", shape in any_shape(),
        options in prop::collection::vec(any::<Option<Option<String>>>(), 0..3),
        map in prop::collection::btree_map((any::<u8>(), "[,\\\\]{0,2}"), any::<Option<char>>(), 0..3),
    ) {
        same(&(key.clone(), shape.clone()));
        same(&shape);
        same(&(options, (shape, key)));
        let map: BTreeMap<_, _> = map;
        same(&map);
    }

    #[test]
    fn the_key_of_a_pair_is_what_stands_before_the_first_tab(
        key in any::<(String, Option<char>)>(), value in any::<Vec<String>>(),
    ) {
        let mut line = Vec::new();
        encode(&(&key, value), &mut line).expect("a line");
        let text = mesquite_workload::line::key_of(&line);
        // Alone it would be a record of two fields.
        let read: ((String, Option<char>), ()) = decode(&[text, b"\t"].concat()).expect("a key");
        prop_assert_eq!(read.0, key);
    }

    #[test]
    fn no_line_takes_the_process_along(line in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = decode::<(String, Shape)>(&line);
        let _ = decode::<Vec<Option<(Shape, Line)>>>(&line);
        let _ = decode::<BTreeMap<char, Visit>>(&line);
        let _ = decode::<Visit>(&line);
    }
}
