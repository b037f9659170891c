#!/bin/sh
# Known vulnerabilities in what the program calls, by govulncheck. Its database comes from
# vuln.go.dev; where that cannot be reached, from the module proxy, as old as the version
# below; where neither can, this says so and is content.
set -eu
if [ -n "${RELEASE_GO:-}" ]; then
	if GOTOOLCHAIN=$RELEASE_GO go version >/dev/null 2>&1; then
		export GOTOOLCHAIN="$RELEASE_GO"
	else
		echo "vulnerabilities: $RELEASE_GO cannot be had: those of this machine's Go are told too"
	fi
fi
scanner=golang.org/x/vuln/cmd/govulncheck@v1.9.0
database=v0.0.0-20261105234957-e22db6528018
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT INT TERM
skip() { echo "vulnerabilities: NOT CHECKED: $1"; exit 0; }

GOBIN="$work" go install "$scanner" 2>"$work/log" || { cat "$work/log"; skip "$scanner cannot be had"; }
scan() {
	status=0
	"$work/govulncheck" "$@" ./cmd/... >"$work/out" 2>&1 || status=$?
	cat "$work/out"
	case $status in 0 | 3) exit "$status" ;; esac # 3: there are some
}
scan
echo "vulnerabilities: no answer from vuln.go.dev; the database of golang.org/x/vulndb $database instead"
GOBIN="$work" go install "golang.org/x/vulndb/cmd/gendb@$database" 2>"$work/log" || { cat "$work/log"; skip "the database cannot be had"; }
mkdir "$work/repo"
cp -R "$(go env GOMODCACHE)/golang.org/x/vulndb@$database/data" "$work/repo/data"
chmod -R u+w "$work/repo"
(
	cd "$work/repo"
	git init -q
	git add -A
	git -c user.name=davwopi -c user.email=davwopi@example.invalid commit -q -m database
)
"$work/gendb" -repo "$work/repo" -out "$work/db" 2>"$work/log" || { cat "$work/log"; skip "the database cannot be made"; }
scan -db "file://$work/db"
skip "govulncheck failed"
