//! Limits of locked memory, for a user who may not pass them: none stops a registration.

use lmp_test_support::board::run;
use lmp_test_support::factory::Factory;
use lmp_test_support::token::TokenBoard;
use lmp_test_support::tools::{output, powerless};
use rustix::process::{Resource, getrlimit};

/// What is said where nothing could be locked.
const WARNING: &str = "the memory could not be locked";

#[test]
fn every_limit_registers() {
    let factory = Factory::new();
    // Where a container may not raise its own limit, that is the highest.
    let most = getrlimit(Resource::Memlock).maximum;
    let most = most.map_or("unlimited".to_owned(), |most| most.to_string());
    let megabytes = [1, 8, 16, 24, 32, 64].map(|size| (size << 20).to_string());
    let limits = ["0", "65536"].into_iter();
    let limits = limits.chain(megabytes.iter().map(String::as_str));
    for limit in limits.chain(["unlimited", &most]) {
        let raised = format!("--memlock={limit}:{limit}");
        if !output("prlimit", [&*raised, "true"]).status.success() {
            assert_ne!(limit, most);
            continue;
        }
        let device = TokenBoard::new();
        let software = factory.command(&device.board);
        let run_software = run(powerless(&software, limit)).expect(0);
        let mut check = device.board.bare_command();
        check.args(["check", "--sota-dir"]).arg(device.board.sota());
        run(powerless(&check, limit)).expect(0);
        let mut token = device.command(&factory);
        token.arg("--force");
        let run_token = device.run(powerless(&token, limit)).expect(0);
        device.hsm.show_to(&mut check);
        device.run(powerless(&check, limit)).expect(0);
        for run in [run_software, run_token] {
            match limit {
                "0" | "65536" => drop(run.says(&[WARNING])),
                "unlimited" => assert!(!run.stderr.contains(WARNING), "{run}"),
                _ => {}
            }
        }
    }
}
