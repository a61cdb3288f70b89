//! Topic names and filters against the standard's examples, and against a
//! matcher too simple to be wrong.

use hookwire_mqtt::{TopicError, TopicFilter, TopicName};
use proptest::prelude::*;

fn check_name(text: &str, expected: Result<(), TopicError>) {
    assert_eq!(TopicName::new(text).map(|_| ()), expected, "{text:?}");
}

fn check_filter(text: &str, expected: Result<(), TopicError>) {
    assert_eq!(TopicFilter::new(text).map(|_| ()), expected, "{text:?}");
}

#[test]
fn names_are_checked() {
    for valid in ["a", "/", "//", "a/b", "a b", "$SYS/x", "é/x", "日本"] {
        check_name(valid, Ok(()));
    }
    check_name(&"x".repeat(65_535), Ok(()));
    check_name(&"x".repeat(65_536), Err(TopicError::TooLong));
    check_name("", Err(TopicError::Empty));
    check_name("a\0b", Err(TopicError::Nul));
    check_name("a/+", Err(TopicError::WildcardInName));
    check_name("a#", Err(TopicError::WildcardInName));
}

#[test]
fn filters_are_checked() {
    for valid in [
        "a", "#", "+", "/", "+/+", "/+", "a/#", "+/a/#", "$SYS/#", "é/+", "$share",
    ] {
        check_filter(valid, Ok(()));
    }
    check_filter(&"x".repeat(65_535), Ok(()));
    check_filter(&"x".repeat(65_536), Err(TopicError::TooLong));
    check_filter("", Err(TopicError::Empty));
    check_filter("a\0", Err(TopicError::Nul));
    for wrong in ["a#", "#/a", "a/#/b", "a/b#", "##", "+#"] {
        check_filter(wrong, Err(TopicError::MultiLevelWildcard));
    }
    for wrong in ["a+", "+a", "a+/b", "a/++", "a/b+"] {
        check_filter(wrong, Err(TopicError::SingleLevelWildcard));
    }
}

#[test]
fn shared_subscriptions_are_taken_apart() {
    check_filter("$share/group/a/+", Ok(()));
    check_filter("$share/group//", Ok(()));
    for wrong in [
        "$share/",
        "$share/g",
        "$share/g/",
        "$share//a",
        "$share/g+/a",
        "$share/#/a",
        "$queue/",
    ] {
        check_filter(wrong, Err(TopicError::ShareName));
    }
    check_filter("$share/g/a#", Err(TopicError::MultiLevelWildcard));

    let shared = TopicFilter::new("$share/group/a/+")
        .expect("valid")
        .shared();
    let shared = shared.expect("a shared subscription");
    assert_eq!(shared.group, "group");
    assert_eq!(shared.filter.as_str(), "a/+");
    for plain in ["$share", "$queue"] {
        assert_eq!(TopicFilter::new(plain).expect("valid").shared(), None);
    }

    check_filter("$queue/a#", Err(TopicError::MultiLevelWildcard));
    check_filter("$queue/+a", Err(TopicError::SingleLevelWildcard));
    let queue = TopicFilter::new("$queue/+/a").expect("valid").shared();
    let same = TopicFilter::new("$share/$queue/+/a").expect("valid");
    assert_eq!(queue, same.shared());
    assert_eq!(queue.expect("shared").filter.as_str(), "+/a");
}

#[test]
fn filters_match_as_the_standard_says() {
    let matching = [
        ("sport/tennis/player1/#", "sport/tennis/player1"),
        (
            "sport/tennis/player1/#",
            "sport/tennis/player1/score/wimbledon",
        ),
        ("sport/#", "sport"),
        ("#", "/"),
        ("#", "é/x"),
        ("sport/tennis/+", "sport/tennis/player1"),
        ("sport/+", "sport/"),
        ("+/+", "/finance"),
        ("/+", "/finance"),
        ("$SYS/#", "$SYS/x"),
        ("$SYS/#", "$SYS"),
        ("$SYS/monitor/+", "$SYS/monitor/Clients"),
        ("+/$x", "a/$x"),
    ];
    for (filter, topic) in matching {
        assert!(matches(filter, topic), "{filter} {topic}");
    }
    let different = [
        ("sport/tennis/+", "sport/tennis/player1/ranking"),
        ("sport/+", "sport"),
        ("+", "/finance"),
        ("#", "$SYS/x"),
        ("+/monitor/Clients", "$SYS/monitor/Clients"),
        ("+", "$SYS"),
        ("accounts", "Accounts"),
        ("a", "a/"),
        ("a/", "a"),
    ];
    for (filter, topic) in different {
        assert!(!matches(filter, topic), "{filter} {topic}");
    }
}

fn matches(filter: &str, topic: &str) -> bool {
    let filter = TopicFilter::new(filter).expect("a filter");
    filter.matches(TopicName::new(topic).expect("a topic name"))
}

/// By recursion over the levels, straight from section 4.7.
fn naive(filter: &[&str], topic: &[&str], first: bool) -> bool {
    let hidden = first && topic.first().is_some_and(|level| level.starts_with('$'));
    match (filter, topic) {
        (["#"], _) => !hidden,
        (["+", filter @ ..], [_, topic @ ..]) => !hidden && naive(filter, topic, false),
        ([level, filter @ ..], [name, topic @ ..]) => level == name && naive(filter, topic, false),
        ([], []) => true,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn filters_match_as_the_naive_matcher_does(
        filter in prop::collection::vec("[$]?[ab]?|[+]", 1..5),
        open in any::<bool>(),
        topic in prop::collection::vec("[$]?[ab]?", 1..5),
    ) {
        let mut filter = filter.join("/");
        if open {
            filter.push_str("/#");
        }
        let topic = topic.join("/");
        prop_assume!(!filter.is_empty() && !topic.is_empty());
        let (levels, names): (Vec<_>, Vec<_>) = (filter.split('/').collect(), topic.split('/').collect());
        prop_assert_eq!(matches(&filter, &topic), naive(&levels, &names, true));
    }

    #[test]
    fn filters_without_wildcards_match_themselves_alone(topic in "[a-c/$]{1,8}", other in "[a-c/$]{1,8}") {
        let filter = TopicFilter::new(&topic).expect("a filter");
        prop_assert!(filter.is_exact());
        prop_assert_eq!(matches(&topic, &other), topic == other);
    }

    #[test]
    fn any_text_is_judged_without_a_panic(text in any::<String>()) {
        if let Ok(name) = TopicName::new(&text) {
            prop_assert!(TopicFilter::new(&text).is_ok_and(|filter| filter.is_exact()) || text.starts_with("$share/") || text.starts_with("$queue/"));
            prop_assert_eq!(name.levels().collect::<Vec<_>>().join("/"), text);
        }
    }
}
