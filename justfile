# Short names for the gates of .ci/run; `just` lists them.

_list:
    @just --list --unsorted

# everything that decides what lands
ci *gates:
    .ci/run {{ gates }}

# rustfmt
format: (ci "format")

# spelling
typos: (ci "typos")

# clippy: default, no and all features
lints: (ci "lints")

# unit tests, integration tests, and the code of README, guides and API docs
test: (ci "tests")

# unit and integration tests with schemars, tokens and tracing, and the share of the code that they run through
coverage: (ci "coverage")

# the code of README, guides and API docs with these features
doctests: (ci "doctests")

# API docs, and as docs.rs makes them
docs: (ci "docs")

# every feature alone and in pairs
features: (ci "features")

# the oldest compiler that Cargo.toml promises
msrv: (ci "msrv")

# the oldest dependencies that Cargo.toml allows
minimal-versions: (ci "minimal_versions")

# licences, bans, sources, advisories
deny: (ci "deny")

# the public API against its snapshot; `just api-update` writes it
api: (ci "api")

api-update:
    PATH="$PWD/.ci-tools/bin:$PATH" .ci/public-api --update

# breaking changes since the newest release
semver: (ci "semver")

# what crates.io would get
package: (ci "package")

# instructions of the hot paths, and the dependencies
weight: (ci "weight")

# requests against the OpenAPI mock server
contract: (ci "contract")

# a minute of fuzzing
fuzz: (ci "fuzz")

# against a real model on this machine
live: (ci "live")

# every example against the same model
examples: (ci "examples")
