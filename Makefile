# What can be done here; `make` alone says it. Nothing but a Rust toolchain is needed for
# build, install, run, demo, lint and static, and the openssl command besides for test; the others
# say what they miss.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# As cargo has it.
TARGET := $(or $(CARGO_TARGET_DIR),target)
EVENLY := $(TARGET)/release/evenly
PREFIX := /usr/local
SHARE = $(DESTDIR)$(PREFIX)/share
STATIC_TARGET := $(shell uname -m)-unknown-linux-musl
STATIC := $(TARGET)/$(STATIC_TARGET)/static/evenly
STATIC_BYTES_MAX := 1400000
STATIC_ALL_BYTES_MAX := 4000000
STATIC_CRATES_MAX := 32
IMAGE := target/image
FUZZ_SECONDS := 60
DENY_VERSION := 0.20.2
DENY := $(or $(shell command -v cargo-deny),target/tools/bin/cargo-deny)

.DEFAULT_GOAL := help
.PHONY: help build install run demo test lint static static-all image-rootfs container bench bench-policies growth picking try acme rules slow flood ha reloads certs loom screenshots fuzz

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

build: ## the release build: target/release/evenly
	cargo build --release --locked

# Builds only what is not there: root, who may install, need not have a toolchain.
install: | $(EVENLY) ## the program and what belongs to it into PREFIX (/usr/local), below DESTDIR
	install -D -m 755 $(EVENLY) $(DESTDIR)$(PREFIX)/bin/evenly
	install -D -m 644 applications.toml $(SHARE)/evenly/applications.toml
	install -D -m 644 share/man/evenly.1 $(SHARE)/man/man1/evenly.1
	install -D -m 644 share/completions/evenly.bash $(SHARE)/bash-completion/completions/evenly
	install -D -m 644 share/completions/_evenly $(SHARE)/zsh/site-functions/_evenly
	install -D -m 644 share/completions/evenly.fish $(SHARE)/fish/vendor_completions.d/evenly.fish
	install -D -m 644 deploy/evenly.service $(DESTDIR)$(PREFIX)/lib/systemd/system/evenly.service
	sed -i 's|/usr/local/|$(PREFIX)/|' $(DESTDIR)$(PREFIX)/lib/systemd/system/evenly.service

$(EVENLY):
	$(MAKE) build

run: build ## build and start the demo: three backends and the balancer on :8080
	$(EVENLY) demo

demo: run ## the same as run

test: ## every test
	cargo test --locked

lint: $(DENY) ## formatting, clippy, the documentation and the dependencies, warnings denied
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --quiet
	$(DENY) --locked check licenses bans sources
	@timeout 60 $(DENY) fetch db 2>/dev/null || echo "lint: the advisories cannot be fetched"
	@if compgen -G "$${CARGO_HOME:-$$HOME/.cargo}/advisory-dbs/*/" >/dev/null; then \
	    $(DENY) --locked --offline check advisories; \
	else echo "lint: advisories SKIPPED: there is no database of them (cargo deny fetch db)"; fi

# Once, where no cargo-deny is installed: two minutes, and nothing outside of target/. Not optimised,
# since it runs for a second.
target/tools/bin/cargo-deny:
	cargo install cargo-deny --version $(DENY_VERSION) --locked --debug --root target/tools

# lld, which comes with the toolchain, folds functions of the same code into one, and constants: no
# address of either is compared. Packed, relative relocations take 1 KiB instead of 40; no segment of
# its own for constants saves padding.
# With frame pointers the unwinder's tables need not follow each push: 3 %.
# The builder's home stays out of the binary.
# The standard library is built along, for size too and without what writes a backtrace, which has no
# names to write in a stripped binary: 15 % of the slim one. A stable cargo takes it for unstable, and
# RUSTC_BOOTSTRAP lets it: with that the binary is the same toolchain's, not a nightly one's.
STATIC_BUILD = RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Cforce-frame-pointers=yes -Clink-arg=-fuse-ld=lld \
	    -Clink-arg=-B$$(rustc --print target-libdir)/../bin/gcc-ld \
	    -Clink-arg=-Wl,--icf=all,--ignore-data-address-equality,-O2,--no-rosegment,-z,pack-relative-relocs \
	    --remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}/registry/src= \
	    --remap-path-prefix=$$(rustc --print sysroot)/lib/rustlib/src/rust/=" \
	    cargo build --profile static --locked --target $(STATIC_TARGET) \
	    -Zbuild-std=std,panic_unwind -Zbuild-std-features=
# What that wants of the toolchain, fetched once.
STATIC_NEEDS = { rustup target list --installed | grep -qx $(STATIC_TARGET) || rustup target add $(STATIC_TARGET); } && \
	    { test -d $$(rustc --print sysroot)/lib/rustlib/src/rust/library || rustup component add rust-src; }
# $(call hold,BYTES): the binary is static, and at most so long.
hold = if readelf --program-headers $(STATIC) | grep INTERP; then echo "not static"; exit 1; fi; \
	    bytes=$$(wc -c < $(STATIC)); \
	    echo "$(STATIC): static, $$bytes bytes of at most $(1)"; test $$bytes -le $(1)

static: ## the slim static binary for musl, its size and its crates held to their limits
	@$(STATIC_NEEDS)
	$(STATIC_BUILD) --no-default-features
	@$(call hold,$(STATIC_BYTES_MAX))
	@crates=$$(cargo tree --locked --no-default-features --target $(STATIC_TARGET) \
	    --edges normal,no-proc-macro --prefix none --no-dedupe | sort -u | grep -vc '^evenly '); \
	    echo "linked crates: $$crates of at most $(STATIC_CRATES_MAX)"; \
	    test $$crates -le $(STATIC_CRATES_MAX)

static-all: ## the same with everything; wants musl-gcc (Debian: musl-tools)
	@$(STATIC_NEEDS)
	$(STATIC_BUILD)
	@$(call hold,$(STATIC_ALL_BYTES_MAX))

# The Dockerfile copies it as it is. All belongs to root; any user may have his socket in /run/evenly,
# whatever number the container is given. The tar is the same bytes for the same binary.
image-rootfs: static-all ## what the image holds, without Docker: target/image/rootfs and rootfs.tar
	rm -rf $(IMAGE)
	install -D -m 755 $(STATIC) $(IMAGE)/rootfs/evenly
	install -d -m 755 $(IMAGE)/rootfs $(IMAGE)/rootfs/etc $(IMAGE)/rootfs/etc/evenly $(IMAGE)/rootfs/run
	install -d -m 1777 $(IMAGE)/rootfs/run/evenly
	tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C $(IMAGE)/rootfs \
	    -cf $(IMAGE)/rootfs.tar .

container: image-rootfs ## tests/container with that binary; the image in podman, where that is; root
	EVENLY_TEST_STATIC=$(abspath $(STATIC)) cargo test --locked --test container
	deploy/container/try.sh $(IMAGE)/rootfs.tar

bench: build ## what a request costs here and in HAProxy and nginx
	benches/peers.py --evenly $(EVENLY)

bench-policies: ## each policy over demo backends, and a page of it: target/policies.html
	cargo bench --locked --bench policies

growth: build ## what 10,000 backends, 1,000 routes and 50,000 idle clients cost beside few
	benches/growth.py --evenly $(EVENLY)

picking: ## what a pick costs, from 3 to 1,000 backends
	cargo bench --locked --bench picking

try: build ## real input: nginx and Python's server behind it, every byte compared
	benches/try.sh $(EVENLY)

acme: build ## certbot and a test server of ACME: the recipe of docs/listeners.md; root, certbot, pebble
	deploy/acme/try.sh $(EVENLY)

rules: ## the rules for Prometheus, each tried where it holds and where it does not
	cd deploy/prometheus && promtool check rules evenly.rules.yml && promtool test rules evenly.rules.test.yml

flood: build ## a flood at the admin endpoint beside clients
	benches/flood.sh $(EVENLY)

slow: build ## a thousand slow clients beside good ones
	benches/slow.sh $(EVENLY)

ha: ## two balancers behind one address; root, keepalived, bird2, nftables, iproute2
	cargo test --locked --test ha -- --test-threads 4

reloads: ## 50 reloads in a minute and 500 for the memory, under load; two minutes
	cargo test --locked --test relay -- reloads:: --include-ignored --test-threads 1

certs: ## certificates to try TLS with: target/certs, and how to use them
	tests/tls/certs.sh target/certs

loom: ## models of the Lot, its ready queue and its bell, in every interleaving
	RUSTFLAGS="--cfg loom" cargo test --locked --target-dir target/loom --lib models::

screenshots: ## the pictures of docs/dashboard.md; chromium-driver, fonts-inter, pngquant
	cargo test --locked --test admin -- dashboard::pictures::pictures --ignored
	pngquant --force --ext .png --quality 85-100 --speed 1 docs/pictures/*.png
	@if find docs/pictures -name '*.png' -size +150000c | grep .; then echo "too large"; exit 1; fi

fuzz: ## each fuzz target for FUZZ_SECONDS; needs nightly and cargo-fuzz
	fuzz/run.sh $(FUZZ_SECONDS)
