//! The document in a real browser: Chromium without a window.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::common::{capture_path, has, run, scratch, text};
use crate::write;

/// Opens a page; the browser keeps what it keeps in an empty folder of its own.
fn open(folder: &Path, page: &Path, extra: &[&str]) -> Output {
    let profile = folder.join("profile");
    let _ = std::fs::remove_dir_all(&profile);
    // A browser on a busy machine may take long to start; it is killed long before anybody gives up on the test.
    Command::new("timeout")
        .args(["--kill-after=10", "120", "chromium", "--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-quic", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"])
        .args(["--hide-scrollbars", "--enable-logging=stderr"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(extra)
        .arg(format!("file://{}", page.display()))
        .env("HOME", folder)
        .output()
        .expect("timeout runs")
}

/// What the page, or the browser about the page, wrote to the console: errors, warnings, what a policy forbade.
fn console(output: &Output) -> Vec<String> {
    let written = String::from_utf8_lossy(&output.stderr);
    written.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect()
}

fn picture(folder: &Path, page: &Path, size: &str, extra: &[&str]) -> Value {
    let shot = folder.join("shot.png");
    let _ = std::fs::remove_file(&shot);
    let (target, window) = (format!("--screenshot={}", shot.display()), format!("--window-size={size}"));
    let output = open(folder, page, &[&[target.as_str(), window.as_str()], extra].concat());
    assert!(shot.exists(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(console(&output), [""; 0]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/html/picture.py");
    serde_json::from_str(&run("python3", &[script, text(&shot)])).expect("JSON")
}

#[test]
fn a_browser_builds_the_document_and_has_nothing_to_complain_of() {
    if !has("chromium") {
        return;
    }
    let folder = scratch("html_browser");
    let page = write(&folder, "lossy", &[&capture_path("lossy.pcap")]);
    let output = open(&folder, &page, &["--dump-dom"]);
    let dom = String::from_utf8_lossy(&output.stdout);
    assert_eq!(console(&output), [""; 0]);
    for piece in
        ["<svg class=\"ladder\"", "<svg class=\"timeline\"", "7 probes", "id=\"connection-1\"", "</html>"]
    {
        assert!(dom.contains(piece), "{piece}: {dom}");
    }
    // That complaints would be seen: a script, which the policy forbids.
    let source = std::fs::read_to_string(&page).expect("UTF-8");
    let broken = folder.join("broken.html");
    std::fs::write(&broken, source.replace("</main>", "<script>document.title = 'ran'</script></main>"))
        .expect("a file to write");
    let output = open(&folder, &broken, &["--dump-dom"]);
    assert!(!console(&output).is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("<title>ran"), "the policy holds");
}

#[test]
fn a_browser_shows_it_light_and_dark_and_narrow() {
    if !has("chromium") || !has("python3") {
        return;
    }
    let folder = scratch("html_picture");
    let page = write(&folder, "vanish", &[&capture_path("vanish.pcap")]);
    let looks = [
        ("700,600", &[][..], false),
        ("500,600", &[], false),
        ("700,500", &["--blink-settings=preferredColorScheme=0"], true),
    ];
    for (size, extra, dark) in looks {
        let seen = picture(&folder, &page, size, extra);
        let number = |name: &str| seen[name].as_u64().expect("a number");
        let first: Vec<u64> =
            seen["first"].as_array().expect("a colour").iter().filter_map(Value::as_u64).collect();
        assert_eq!(first.iter().sum::<u64>() < 3 * 128, dark, "{size}: {seen}");
        assert!(number("other") * 50 > number("pixels"), "{size}: blank: {seen}");
        assert!(number("colours") > 20, "{size}: {seen}");
    }
}
