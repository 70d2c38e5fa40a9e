//! Pages name files, functions, links and commands that are there.

use std::path::Path;
use std::process::Command;

use lmp_test_support::board::run;
use lmp_test_support::repository;

use super::{sources, text};

/// A file that the map names is there, and what it names in that file is defined in it.
#[test]
fn the_map_names_what_is_there() {
    let mut all = sources("src");
    all.extend(sources("factory/src"));
    all.extend(sources("tests"));
    let page = text("docs/architecture.md");
    let words = page.split('`').collect::<Vec<_>>();
    let mut count = 0;
    for (number, word) in words.iter().enumerate().skip(1).step_by(2) {
        let Some(file) = word.strip_suffix(".rs").map(|_| *word) else {
            continue;
        };
        let here: Vec<_> = all
            .iter()
            .filter(|(path, _)| path.ends_with(file))
            .collect();
        assert!(!here.is_empty(), "there is no file {file}");
        // `file` `name`, with nothing but white space between them.
        let (Some(between), Some(name)) = (words.get(number + 1), words.get(number + 2)) else {
            continue;
        };
        if between.trim().is_empty() {
            let name = name.rsplit("::").next().unwrap();
            let kinds = ["fn", "struct", "enum", "const", "type"];
            let defined = |text: &str| {
                kinds.iter().any(|kind| {
                    let definition = format!("{kind} {name}");
                    let mut rest = text.split(&definition).skip(1);
                    rest.any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
                })
            };
            assert!(
                here.iter().any(|(_, text)| defined(text)),
                "{file} has no {name}"
            );
            count += 1;
        }
    }
    assert!(count > 30, "{count} names only");
}

/// A link leads to a file, and to a heading of it if it names one.
#[test]
fn links_lead_somewhere() {
    let mut pages = [
        "README.md",
        "CONTRIBUTING.md",
        "BENCHMARKS.md",
        "examples/README.md",
    ]
    .map(str::to_owned)
    .to_vec();
    for entry in std::fs::read_dir(repository("docs")).unwrap() {
        pages.push(format!(
            "docs/{}",
            entry.unwrap().file_name().to_str().unwrap()
        ));
    }
    for page in pages {
        let folder = Path::new(&page).parent().unwrap().to_owned();
        for target in text(&page).split("](").skip(1) {
            let target = target.split(')').next().unwrap();
            if target.starts_with("https://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() {
                page.clone()
            } else {
                folder.join(file).to_str().unwrap().to_owned()
            };
            assert!(repository(&file).exists(), "{page} leads to {target}");
            let slug = |line: &str| {
                let line = line.trim_start_matches(['#', ' ']).to_lowercase();
                let kept = line
                    .chars()
                    .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                kept.collect::<String>().replace(' ', "-")
            };
            let found = heading.is_empty()
                || text(&file)
                    .lines()
                    .any(|line| line.starts_with('#') && slug(line) == heading);
            assert!(found, "{page} leads to {target}");
        }
    }
}

/// What a person types who tries it, as the README has it; the ports are free ones.
#[test]
fn the_first_commands_of_the_readme_work() {
    let readme = text("README.md");
    let block = readme
        .split("```sh\n")
        .find(|block| block.starts_with("lmp-factory serve"));
    let script = block.unwrap().split("```").next().unwrap().replace(
        "serve ",
        "serve --listen 127.0.0.1:0 --gateway-listen 127.0.0.1:0 ",
    );
    let folder = tempfile::tempdir().unwrap();
    let programs = lmp_test_support::agent().parent().unwrap();
    assert!(
        programs.join("lmp-factory").exists(),
        "cargo build --workspace"
    );
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let script = format!("trap 'kill $factory 2>/dev/null || :' EXIT; {script}");
    let mut shell = Command::new("sh");
    shell
        .args(["-eu", "-c", &script])
        .current_dir(folder.path())
        .env("PATH", path);
    let run = run(shell).expect(0);
    for said in [
        "Device is now registered.",
        "mTLS works",
        "The registration is removed",
    ] {
        assert!(run.stdout.contains(said), "{said}: {run}");
    }
}
