#!/bin/sh
# Known vulnerabilities in what the program calls, by govulncheck, whose database is at
# vuln.go.dev. Where that or the scanner cannot be had, this says so and is content.
set -eu
scanner=golang.org/x/vuln/cmd/govulncheck@v1.9.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
skip() { echo "vulnerabilities: NOT CHECKED: $1"; exit 0; }

# Before anything is built for it.
curl -sSf -m 10 -o "$work/index" https://vuln.go.dev/index/db.json 2>"$work/log" || skip "$(cat "$work/log")"
if [ -n "${RELEASE_GO:-}" ]; then
	if GOTOOLCHAIN=$RELEASE_GO go version >/dev/null 2>&1; then
		export GOTOOLCHAIN="$RELEASE_GO"
	else
		echo "vulnerabilities: $RELEASE_GO cannot be had: those of this machine's Go are told too"
	fi
fi
GOBIN="$work" go install "$scanner" 2>"$work/log" || { cat "$work/log"; skip "$scanner cannot be had"; }
"$work/govulncheck" ./cmd/...
