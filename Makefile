# make demo   register a device for real, against a factory on loopback
# make test   prove that everything works
# make browser  drive lmp-factory's approval page in headless Chromium
# make bench    what a registration costs, and how that compares
# make deny     licences, sources and banned crates of all dependencies
# make software-only  the agent without PKCS#11, with its tests
# make oldest     build with the oldest compiler that the manifest claims (rustup, network)
# make crash   kill it, break its disk and cut its power at every system call (test takes samples)
# make fuzz    let a fuzzer look for inputs that break a parser, SECONDS=60 for each
# make storm   500 devices register at once through a network that breaks
# make cross  build for ARM boards · make cross-test  try those builds · make debs  package them
# make board  boot an emulated ARM board that registers · make release-check  all four of these
# make yocto  the Yocto layer; with BITBAKEDIR and OECORE also with bitbake, see docs/yocto.md
# Each target installs what it needs first (Debian, as root) or says what is missing.

CARGO ?= cargo
# The test report's last line counts all tests; see scripts/run-tests.
.PHONY: demo test lint unit generated size browser bench deny software-only oldest crash fuzz storm yocto
.PHONY: cross cross-test debs board release-check install-files

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
	UPDATE_GENERATED=1 $(CARGO) test --locked --test it generated::

# The binary that boards get: stripped, under its size limit, needing only libc.
size:
	scripts/check-size

browser:
	scripts/install-tools browser
	factory/tests/browser/run

bench:
	scripts/install-tools bench
	scripts/bench

# Advisories need a database from the network and are left to whoever has it. Compiled once: two
# minutes of two cores.
deny:
	command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny check --hide-inclusion-graph licenses bans sources

# The feature is off, so an option of a token is an error and everything else is as before.
software-only:
	scripts/install-tools test
	$(CARGO) build --locked -p lmp-factory
	$(CARGO) test --locked -p lmp-device-register --no-default-features --lib --test it -- --skip storm::

# A test checks what every crate claims, and clippy what our code uses of the library; this is the proof.
oldest:
	rustup run $(OLDEST) true 2>/dev/null || rustup toolchain install $(OLDEST) --profile minimal
	cargo +$(OLDEST) check --workspace --all-targets --locked --target-dir $(or $(CARGO_TARGET_DIR),target)/oldest
OLDEST = $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

# Accidents at every system call, without sampling: kills, errors, power cuts.
crash:
	scripts/install-tools test
	CRASH_POINTS=all $(CARGO) test --locked --test crash -- --nocapture --test-threads=1

# Compiles cargo-fuzz the first time. `make test` replays the corpus.
fuzz:
	scripts/fuzz $(or $(SECONDS),60)

# 500 devices instead of the 60 of `make test`.
storm:
	STORM_DEVICES=500 $(CARGO) test --locked --test it storm:: -- --nocapture

# No network and no compiler are needed; see scripts/yocto-check for what it takes.
yocto:
	scripts/yocto-check

# Both ARM targets, under their size limits.
cross:
	scripts/cross

cross-test: cross
	tests/cross/run

debs: cross
	scripts/debs

# Boots in qemu-system-aarch64; what is slow is kept in target/board.
BOARD = $(or $(CARGO_TARGET_DIR),target)
board: debs
	scripts/install-tools board
	$(CARGO) build --locked -p lmp-factory
	tests/board/base $(BOARD)/board
	tests/board/run $(BOARD)/board $(BOARD)/debian/lmp-device-register_arm64.deb $(BOARD)/debug/lmp-factory

release-check: cross-test board

# What a package has beside the program, for recipes of other systems.
UNITDIR = /usr/lib/systemd/system
SYSCONFDIR = /etc
DATADIR = /usr/share
MANDIR = $(DATADIR)/man
TMPFILESDIR = /usr/lib/tmpfiles.d
install-files:
	install -D -m 644 systemd/lmp-device-auto-register.service $(DESTDIR)$(UNITDIR)/lmp-device-auto-register.service
	install -D -m 644 -t $(DESTDIR)$(DATADIR)/lmp-device-register/drop-ins systemd/drop-ins/*.conf
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man1 packaging/generated/*.1
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man5 packaging/generated/*.5
	install -D -m 644 -t $(DESTDIR)$(DATADIR)/bash-completion/completions packaging/generated/lmp-device-register
	install -D -m 644 -t $(DESTDIR)$(DATADIR)/zsh/site-functions packaging/generated/_lmp-device-register
	install -D -m 644 -t $(DESTDIR)$(DATADIR)/fish/vendor_completions.d packaging/generated/lmp-device-register.fish
	install -D -m 644 packaging/tmpfiles.conf $(DESTDIR)$(TMPFILESDIR)/lmp-device-register.conf
	install -d -m 755 $(DESTDIR)$(SYSCONFDIR)/lmp-device-register
