use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

use super::{REDACTED, command_line};

#[track_caller]
fn check(arguments: &[&str], expected: &str) {
    assert_eq!(
        command_line(arguments.join("\0").as_bytes()),
        expected.replace("[]", REDACTED)
    );
}

#[test]
fn options_with_values() {
    check(
        &["app", "--token", "s3cr3t", "--port", "80"],
        "app --token [] --port 80",
    );
    check(&["app", "--db-password=s3cr3t"], "app --db-password=[]");
    check(
        &["java", "-DdbPassword=s3cr3t", "-jar", "a.jar"],
        "java -DdbPassword=[] -jar a.jar",
    );
    check(&["app", "--api-key", "two words"], "app --api-key []");
    check(
        &["app", "--password", "--verbose"],
        "app --password --verbose",
    );
    check(
        &["app", "--password", "-begins-with-a-dash"],
        "app --password []",
    );
    check(
        &["docker", "login", "--password-stdin", "reg.example"],
        "docker login --password-stdin reg.example",
    );
    check(
        &["app", "--token-file", "/run/t", "--max-tokens", "512"],
        "app --token-file /run/t --max-tokens 512",
    );
}

#[test]
fn short_options() {
    check(
        &["mysql", "-uroot", "-ps3cr3t", "db"],
        "mysql -uroot -p[] db",
    );
    check(
        &["/usr/bin/mysqldump", "-p12345"],
        "/usr/bin/mysqldump -p[]",
    );
    check(
        &["sshpass", "-p", "12345", "ssh", "h"],
        "sshpass -p [] ssh h",
    );
    check(&["tool", "-p", "s3cr3t"], "tool -p []");
    check(&["tool", "-ps3cr3t"], "tool -p[]");
    check(&["ssh", "-p", "2222", "h"], "ssh -p 2222 h");
    check(
        &["docker", "run", "-p", "127.0.0.1:80:8080/tcp", "i"],
        "docker run -p 127.0.0.1:80:8080/tcp i",
    );
    check(&["docker", "login", "-p", "s3cr3t"], "docker login -p []");
    check(&["mkdir", "-p", "/srv/a"], "mkdir -p /srv/a");
    check(&["find", ".", "-print0"], "find . -print0");
    check(
        &["redis-cli", "-a", "s3cr3t", "ping"],
        "redis-cli -a [] ping",
    );
    check(
        &["curl", "-u", "me:s3cr3t", "https://h/"],
        "curl -u me:[] https://h/",
    );
    check(&["curl", "--user=me:s3cr3t"], "curl --user=me:[]");
    check(&["sudo", "-u", "me", "id"], "sudo -u me id");
}

#[test]
fn variables() {
    check(
        &["env", "AWS_SECRET_ACCESS_KEY=a/b+c&d;e", "HOME=/root", "x"],
        "env AWS_SECRET_ACCESS_KEY=[] HOME=/root x",
    );
    check(
        &["docker", "run", "-e", "PGPASSWORD=s3cr3t", "pg"],
        "docker run -e PGPASSWORD=[] pg",
    );
    check(
        &["docker", "run", "--env=HF_TOKEN=abc", "pg"],
        "docker run --env=HF_TOKEN=[] pg",
    );
}

#[test]
fn headers() {
    check(
        &["curl", "-H", "Authorization: Bearer a.b.c", "u"],
        "curl -H Authorization: [] u",
    );
    check(
        &["curl", "--header=X-Api-Key:abc", "u"],
        "curl --header=X-Api-Key: [] u",
    );
    check(
        &["curl", "-H", "Accept: text/html"],
        "curl -H Accept: text/html",
    );
    check(&["tool", "Bearer", "abc"], "tool Bearer []");
    check(
        &["tool", "Proxy auth is Basic dTpw now"],
        "tool Proxy auth is Basic [] now",
    );
}

#[test]
fn urls() {
    check(
        &["git", "clone", "https://u:p@h/r.git"],
        "git clone https://u:[]@h/r.git",
    );
    check(
        &["git", "clone", "https://0123abcd@h/r.git"],
        "git clone https://[]@h/r.git",
    );
    check(
        &["git", "clone", "ssh://git@h/r.git"],
        "git clone ssh://git@h/r.git",
    );
    check(
        &["app", "--db=postgres://u:p@h:5432/d"],
        "app --db=postgres://u:[]@h:5432/d",
    );
    check(
        &["curl", "https://h/x?a=1&token=abc&b=2"],
        "curl https://h/x?a=1&token=[]&b=2",
    );
    check(
        &["curl", "https://h/x?key=abc#f"],
        "curl https://h/x?key=[]#f",
    );
    check(
        &["curl", "https://auth.example.com:8443/"],
        "curl https://auth.example.com:8443/",
    );
}

#[test]
fn bodies_and_tokens() {
    check(
        &["curl", "-d", r#"{"user":"me","password":"a\"b,c","n":1}"#],
        r#"curl -d {"user":"me","password":[],"n":1}"#,
    );
    check(&["app", "ghp_0123456789abcdef0123456789abcdef"], "app []");
    check(&["app", "x=sk-ant-0123456789abcdef0123,y"], "app x=[],y");
    check(&["app", "sk-learn"], "app sk-learn");
}

#[test]
fn blanks_inside_values() {
    check(&["app", "--password=two words", "x"], "app --password=[] x");
    check(
        &["env", "DB_PASSWORD=two words", "x"],
        "env DB_PASSWORD=[] x",
    );
    check(
        &["curl", "-d", r#"{"password": "two words", "n": 1}"#],
        r#"curl -d {"password": [] "n": 1}"#,
    );
    check(
        &["curl", "-d", r#"{"Authorization": "Bearer abc"}"#],
        r#"curl -d {"Authorization": []"#,
    );
    check(
        &["curl", "-H", "Authorization:", "Bearer", "abc", "u"],
        "curl -H Authorization: Bearer [] u",
    );
    check(
        &["app", "--header=Authorization: Bearer abc"],
        "app --header=Authorization: []",
    );
}

#[test]
fn shell_strings() {
    check(
        &[
            "sh",
            "-c",
            "mysql -ps3cr3t db && curl -H 'Authorization: Bearer abc' https://u:p@h/",
        ],
        "sh -c mysql -p[] db && curl -H 'Authorization: []' https://u:[]@h/",
    );
    check(
        &["sh", "-c", "tool --password 'two words' -v"],
        "sh -c tool --password [] -v",
    );
    check(
        &["sh", "-c", "tool --password", "name"],
        "sh -c tool --password name",
    );
}

#[test]
fn odd_bytes() {
    check(&[""], "");
    check(&["a", "", "b"], "a  b");
    assert_eq!(command_line(b"a\xff\0b\0"), "a\u{fffd} b");
    assert_eq!(command_line(b"a \"\n'"), "a \"\n'");
}

fn secret() -> impl Strategy<Value = String> {
    // Sixteen of an alphabet that no pattern treats specially.
    prop::collection::vec(prop::sample::select(b"QXZJ7".to_vec()), 16)
        .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

proptest! {
    #[test]
    fn no_pattern_leaks(secret in secret(), before in "[a-z]{1,8}", after in "[a-z]{0,8}") {
        let patterns = [
            format!("{before}\0--password\0{secret}\0{after}"),
            format!("{before}\0--password={secret}\0{after}"),
            format!("{before}\0-p{secret}\0{after}"),
            format!("{before}\0-p\0{secret}\0{after}"),
            format!("{before}\0-u\0{after}:{secret}"),
            format!("{before}_TOKEN={secret}\0{after}"),
            format!("{before}\0-H\0Authorization: Bearer {secret}\0{after}"),
            format!("{before}\0https://{after}:{secret}@{before}/"),
            format!("{before}\0https://{before}/?{after}=1&api_key={secret}&x=y"),
            format!("{before}\0{{\"{after}\":1,\"client_secret\":\"{secret}\"}}"),
            format!("sh\0-c\0{before} --token '{secret}' {after}"),
            format!("sh\0-c\0sh -c \"{before} --token {secret} {after}\""),
        ];
        for pattern in patterns {
            let line = command_line(pattern.as_bytes());
            prop_assert!(!line.contains(&secret), "{pattern:?} gave {line:?}");
        }
    }

    #[test]
    fn plain_words_stay(words in prop::collection::vec("[a-z0-9/.,]{1,12}", 1..8)) {
        prop_assert_eq!(command_line(words.join("\0").as_bytes()), words.join(" "));
    }

    #[test]
    fn any_bytes_do(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        // U+FFFD has three bytes, `[redacted]` ten.
        prop_assert!(command_line(&bytes).len() <= 16 * bytes.len());
    }
}
