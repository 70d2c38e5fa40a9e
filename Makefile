# make demo   register a device for real, against a factory on loopback
# make test   prove that everything works
# make browser  drive lmp-factory's approval page in headless Chromium
# make bench    what a registration costs, and how that compares
# make deny     licences, sources and banned crates of all dependencies
# make crash   kill it, break its disk and cut its power at every system call (test takes samples)
# make fuzz    let a fuzzer look for inputs that break a parser, SECONDS=60 for each
# make storm   500 devices register at once through a network that breaks
# Each target installs what it needs first (Debian, as root) or says what is missing.

CARGO ?= cargo
# The test report's last line counts all tests; see scripts/run-tests.
.PHONY: demo test lint unit generated size browser bench deny crash fuzz storm

demo:
	@scripts/install-tools demo
	@scripts/demo

test: lint unit size

lint:
	scripts/install-tools test
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy -p lmp-device-register --no-default-features --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet

unit:
	scripts/install-tools test
	scripts/run-tests

# Writes man pages and completions anew, from the argument definitions.
generated:
	UPDATE_GENERATED=1 $(CARGO) test --locked --test generated

# The binary that boards get: stripped, under its size limit, needing only libc.
size:
	scripts/check-size

browser:
	scripts/install-tools browser
	factory/tests/browser/run

bench:
	scripts/install-tools bench
	scripts/bench

# Advisories need a database from the network and are left to whoever has it.
deny:
	command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny check licenses bans sources

# Accidents at every system call, without sampling: kills, errors, power cuts.
crash:
	scripts/install-tools test
	CRASH_POINTS=all $(CARGO) test --locked --test crash -- --nocapture --test-threads=1

# Needs nightly Rust and cargo-fuzz; says so if they are missing. `make test` replays the corpus.
fuzz:
	scripts/fuzz $(or $(SECONDS),60)

# 500 devices instead of the 60 of `make test`.
storm:
	STORM_DEVICES=500 $(CARGO) test --locked --test storm -- --nocapture
