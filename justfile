# Shortcuts for the checks of .ci/run; `just` lists them.

_list:
    @just --list --unsorted

# all CI checks, or only the given ones
ci *checks:
    .ci/run {{ checks }}

# rustfmt
format: (ci "format")

# spelling
typos: (ci "typos")

# clippy with default, no and all features
lints: (ci "lints")

# unit tests, integration tests, and doctests of README, guides and API docs
test: (ci "tests")

# unit and integration tests with all features except those for TLS, and their line coverage
coverage: (ci "coverage")

# doctests of README, guides and API docs with these features
doctests: (ci "doctests")

# API docs, also as built on docs.rs
docs: (ci "docs")

# each feature alone, and each pair of features
features: (ci "features")

# programs of users, with their tests
programs: (ci "programs")

# the minimum supported Rust version
msrv: (ci "msrv")

# the minimal dependency versions that Cargo.toml allows
minimal-versions: (ci "minimal_versions")

# licenses, bans, sources, advisories
deny: (ci "deny")

# the public API compared with its snapshot; `just api-update` updates the snapshot
api: (ci "api")

api-update:
    PATH="$PWD/.ci-tools/bin:$PATH" .ci/public-api --update

# breaking changes since the latest release
semver: (ci "semver")

# contents, size and build of the package for crates.io
package: (ci "package")

# instruction counts of the hot paths, and the number of dependencies
weight: (ci "weight")

# requests checked by the OpenAPI mock server
contract: (ci "contract")

# one minute of fuzzing
fuzz: (ci "fuzz")

# tests against a small local model
live: (ci "live")

# tests against other real servers
servers: (ci "servers")

# examples against the same model
examples: (ci "examples")

# the page of examples/web in headless Chromium
web: (ci "web")
