use super::*;

fn proxies(variables: &[(&str, &str)]) -> Proxies {
    let env = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Proxies::of(&env.collect())
}

fn to(host: &str, address: &str, class: AddressClass) -> Destination {
    let name = host.parse::<IpAddr>().is_err().then(|| host.to_owned());
    Destination { name, to: address.parse().unwrap(), class, grant: 0 }
}

fn public(host: &str) -> Destination {
    to(host, "93.184.215.14:443", AddressClass::Public)
}

fn proxy_of(text: &str) -> Result<Proxy, Unusable> {
    parse_proxy("https_proxy", text)
}

#[test]
fn without_variables_everything_is_direct() {
    assert_eq!(proxies(&[]).route(&public("a.example")), Route::Direct);
    assert_eq!(proxies(&[("HTTPS_PROXY", " ")]).route(&public("a.example")), Route::Direct);
    assert_eq!(proxies(&[("http_proxy", "http://p:1")]).route(&public("a.example")), Route::Direct);
}

#[test]
fn the_lower_case_variable_and_the_nearer_one_win() {
    let set =
        [("ALL_PROXY", "socks5://s:1"), ("HTTPS_PROXY", "http://upper:1"), ("https_proxy", "http://lower:1")];
    let all = proxies(&set);
    let Route::Through(proxy) = all.route(&public("a.example")) else { panic!("direct") };
    assert_eq!(proxy.host, "lower");
}

#[test]
fn host_port_and_credentials_are_read() {
    let plain = Proxy { host: "proxy.corp".into(), port: 3128, authorization: None };
    assert_eq!(proxy_of("http://Proxy.corp:3128/"), Ok(plain.clone()));
    assert_eq!(proxy_of("proxy.corp:3128"), Ok(plain.clone()));
    assert_eq!(proxy_of("HTTP://proxy.corp"), Ok(Proxy { port: 80, ..plain.clone() }));
    assert_eq!(
        proxy_of("http://[fd00::1]:8080").map(|proxy| (proxy.host, proxy.port)),
        Ok(("fd00::1".into(), 8080))
    );
    // RFC 7617's own example.
    let basic = proxy_of("http://Aladdin:open%20sesame@proxy.corp:3128").unwrap();
    assert_eq!(basic.authorization.as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert_eq!(
        proxy_of("http://u:p%40ss@proxy.corp").unwrap().authorization.as_deref(),
        Some("Basic dTpwQHNz")
    );
}

#[test]
fn a_password_is_never_shown() {
    let good = proxy_of("http://user:hunter2@proxy.corp").unwrap();
    let bad = [
        "socks5://user:hunter2@p",
        "http://user:hunter2@p:port",
        "user:hunter2@p://x",
        "http://u:hunter2%@p",
    ];
    let shown = bad.map(|text| format!("{0} {0:?}", proxy_of(text).unwrap_err())).join(" ");
    assert!(!shown.contains("hunter2") && !format!("{good:?}").contains("hunter2"), "{shown}");
}

#[test]
fn what_is_not_supported_is_named_and_leads_nowhere() {
    for (text, scheme) in [("https://p:443", "https://"), ("socks5h://p:1080", "socks5h://")] {
        let all = proxies(&[("ALL_PROXY", text)]);
        let Route::Nowhere(unusable) = all.route(&public("a.example")) else { panic!("{text} is followed") };
        assert!(
            unusable.to_string().contains(scheme) && unusable.to_string().contains("ALL_PROXY"),
            "{unusable}"
        );
    }
    for text in ["http://", "http://:3128", "http://host name", "http://p:70000"] {
        assert!(proxy_of(text).is_err(), "{text}");
    }
}

#[test]
fn exceptions_are_followed() {
    let around = "internal.example, .below.example,*.star.example,10.0.0.0/8,192.0.2.7,port.example:8443,[fd00::]/8,fd00::/8";
    let all = proxies(&[("https_proxy", "http://p:1"), ("no_proxy", around)]);
    let direct = |to: &Destination| all.route(to) == Route::Direct;
    assert!(direct(&public("internal.example")) && direct(&public("x.internal.example")));
    assert!(!direct(&public("notinternal.example")) && !direct(&public("internal.example.evil")));
    assert!(direct(&public("a.below.example")) && !direct(&public("below.example")));
    assert!(direct(&public("a.star.example")) && !direct(&public("star.example")));
    assert!(!direct(&public("port.example")), "another port");
    assert!(direct(&to("port.example", "93.184.215.14:8443", AddressClass::Public)));
    assert!(direct(&to("10.1.2.3", "10.1.2.3:443", AddressClass::Private)));
    assert!(!direct(&to("11.1.2.3", "11.1.2.3:443", AddressClass::Public)));
    assert!(direct(&to("192.0.2.7", "192.0.2.7:443", AddressClass::Public)));
    assert!(!direct(&to("192.0.2.8", "192.0.2.8:443", AddressClass::Public)));
    assert!(direct(&to("fd00::1", "[fd00::1]:443", AddressClass::Private)));
    // A name is not asked for as an address: the proxy may know it by another.
    assert!(!direct(&to("a.corp", "10.1.2.3:443", AddressClass::Private)));
}

#[test]
fn this_machine_is_never_reached_by_way_of_a_proxy() {
    let all = proxies(&[("https_proxy", "socks5://p:1")]);
    assert_eq!(all.route(&to("127.0.0.1", "127.0.0.1:5432", AddressClass::Loopback)), Route::Direct);
    assert_eq!(all.route(&to("localhost", "127.0.0.1:5432", AddressClass::Loopback)), Route::Direct);
}

#[test]
fn a_star_goes_around_for_everything() {
    let all = proxies(&[("https_proxy", "http://p:1"), ("NO_PROXY", "*")]);
    assert_eq!(all.route(&public("a.example")), Route::Direct);
}

#[test]
fn base64_pads_as_the_standard_says() {
    let cases = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("foobar", "Zm9vYmFy"),
    ];
    for (plain, coded) in cases {
        assert_eq!(base64(plain.as_bytes()), coded, "{plain}");
    }
}

#[test]
fn names_that_only_the_proxy_can_look_up_are_known() {
    let all = proxies(&[
        ("https_proxy", "http://p:1"),
        ("no_proxy", "direct.example,port.example:8443,10.0.0.0/8"),
    ]);
    assert!(all.serves("a.example") && all.serves("port.example"));
    assert!(!all.serves("direct.example") && !all.serves("x.direct.example") && !all.serves("localhost"));
    assert!(
        !proxies(&[]).serves("a.example") && !proxies(&[("https_proxy", "socks5://p")]).serves("a.example")
    );
}
